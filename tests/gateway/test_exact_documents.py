"""JSON is returned digit for digit, in every way to send and to read it."""

import re
from itertools import cycle
from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from db.agents import Agent
from db.ai_tests import AiTest
from db.analytics import UserAction
from db.config import ConfigEntry
from db.core.values.json import MAX_DIGITS
from db.events import Event
from db.metrics import Metric
from graph.core.types.node import global_id
from support.exact_numbers import KEPT, SENT, ask, data, read
from support.factories import make_dream
from support.graphql_client import Endpoint

TOO_LONG = ["1e999", "-1e400", "1e-400", "1" * (MAX_DIGITS + 1)]

# Each field that takes JSON: a mutation with a document at `%s`, and a query that shows it.
CASES = {
    "setConfig.value": (
        'setConfig(input: {key: "a.b", value: %s})',
        '{ config(key: "a.b") { value } }',
    ),
    "setPreferences.preferences": (
        "setPreferences(input: {preferences: {n: %s}})",
        "{ viewer { user { preferences } } }",
    ),
    "createUser.metadata": (
        'createUser(input: {email: "new@example.org", metadata: {n: %s}})',
        '{ users(filter: {email: {eq: "new@example.org"}}) { nodes { metadata } } }',
    ),
    "editUser.metadata": (
        'editUser(input: {id: "$USER", metadata: {n: %s}})',
        "{ viewer { user { metadata } } }",
    ),
    "startAiTest.parameters": (
        'startAiTest(input: {dreamId: "$DREAM", provider: "p", model: "m", parameters: {n: %s}})',
        "{ aiTests { nodes { testParameters } } }",
    ),
    "recordAiTest.parameters": (
        'recordAiTest(input: {dreamId: "$DREAM", provider: "p", model: "m", parameters: {n: %s}})',
        "{ aiTests { nodes { testParameters } } }",
    ),
    "recordAiTests.parameters": (
        'recordAiTests(input: {tests: [{dreamId: "$DREAM", provider: "p", model: "m", '
        "parameters: {n: %s}}]})",
        "{ aiTests { nodes { testParameters } } }",
    ),
    "logEvent.payload": (
        'logEvent(input: {eventType: "e", source: "s", payload: {n: %s}})',
        "{ events { nodes { payload } } }",
    ),
    "logEvent.metadata": (
        'logEvent(input: {eventType: "e", source: "s", metadata: {n: %s}})',
        "{ events { nodes { metadata } } }",
    ),
    "logEvents.payload": (
        'logEvents(input: {events: [{eventType: "e", source: "s", payload: {n: %s}}]})',
        "{ events { nodes { payload } } }",
    ),
    "logError.context": (
        'logError(input: {message: "m", context: {n: %s}})',
        "{ events { nodes { payload } } }",
    ),
    "recordMetric.tags": (
        'recordMetric(input: {metricName: "m", value: 1, tags: {n: %s}})',
        "{ metrics { nodes { tags } } }",
    ),
    "recordMetrics.tags": (
        'recordMetrics(input: {metrics: [{metricName: "m", value: 1, tags: {n: %s}}]})',
        "{ metrics { nodes { tags } } }",
    ),
    "trackUserAction.metadata": (
        'trackUserAction(input: {action: "a", metadata: {n: %s}})',
        "{ userActions { nodes { metadata } } events { nodes { payload } } }",
    ),
    "reportAgentStatus.currentTask": (
        'reportAgentStatus(input: {agentKey: "a", status: RUNNING, currentTask: {n: %s}})',
        '{ agent(key: "a") { currentTask history { nodes { currentTask } } } }',
    ),
    "reportAgentStatus.performanceMetrics": (
        'reportAgentStatus(input: {agentKey: "a", status: RUNNING, performanceMetrics: {n: %s}})',
        '{ agent(key: "a") { performanceMetrics history { nodes { performanceMetrics } } } }',
    ),
    "reportAgentStatuses.currentTask": (
        'reportAgentStatuses(input: {reports: [{agentKey: "a", status: "RUNNING", '
        "currentTask: {n: %s}}]})",
        '{ agent(key: "a") { currentTask } }',
    ),
}


def documents(value: Any) -> list[Any]:
    """The values of `SENT` in an answer, at any depth."""
    if isinstance(value, dict):
        return [found for part in value.values() for found in documents(part)]
    if not isinstance(value, list):
        return []
    is_whole = len(value) == len(read(KEPT))
    return [value] if is_whole else [found for part in value for found in documents(part)]


async def written(endpoint: Endpoint, database: Database, name: str) -> str:
    """A mutation, with the ids of what it is about."""
    dream = await make_dream(database, user_id=endpoint.user.id, is_public=True)
    ids = {"$USER": global_id(endpoint.user), "$DREAM": global_id(dream)}
    field, _ = CASES[name]
    for mark, id in ids.items():
        field = field.replace(mark, id)
    return field


@pytest.mark.parametrize("name", CASES)
async def test_a_document_keeps_every_digit(
    endpoint: Endpoint, database: Database, name: str
) -> None:
    field, shown = await written(endpoint, database, name), CASES[name][1]
    literal = f"mutation {{ {field % SENT} {{ __typename }} }}"
    variable = f"mutation ($sent: JSON) {{ {field % '$sent'} {{ __typename }} }}"

    for mutation, variables in [(variable, f'{{"sent": {SENT}}}'), (literal, "{}")]:
        answer = await data(endpoint, mutation, variables)
        assert not re.search("Invalid|NotFound|Forbidden", str(answer))
        found = documents(await data(endpoint, shown))
        assert found
        assert all(document == read(KEPT) for document in found)


async def test_a_number_with_too_many_digits_is_rejected_and_nothing_is_stored(
    endpoint: Endpoint, database: Database
) -> None:
    for name, number in zip(CASES, cycle(TOO_LONG), strict=False):
        field = await written(endpoint, database, name)
        literal = await ask(endpoint, f"mutation {{ {field % f'[{number}]'} {{ __typename }} }}")
        variable = await ask(
            endpoint,
            f"mutation ($sent: JSON) {{ {field % '$sent'} {{ __typename }} }}",
            f'{{"sent": [{number}]}}',
        )

        quoted = number if len(number) <= 20 else f"{number[:19]}…"
        said = f"The number {quoted} has more than {MAX_DIGITS} digits, written out."
        [in_literal], [in_variable] = literal["errors"], variable["errors"]
        assert in_literal["message"] == said
        assert in_literal["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED"
        assert len(in_literal["locations"]) == 1
        assert in_variable["message"] == f"{said} Send it as a string."
    async with database.read() as session:
        for table in (AiTest, Agent, ConfigEntry, Event, Metric, UserAction):
            assert await session.records(table, table.select()) == []


async def test_documents_of_other_writers_are_shown_as_they_are(
    endpoint: Endpoint, database: Database
) -> None:
    numbers = f"[0.50, 1{'0' * 5_000}, 0.{'1' * 5_000}, 12345678901234567890.10]"
    async with database.write() as session:
        await session.execute(
            text(
                "insert into system_config (id, key, value)"
                " values (gen_random_uuid(), 'theirs', cast(:value as jsonb))"
            ).bindparams(value=numbers)
        )

    shown = await data(endpoint, '{ config(key: "theirs") { value } }')
    assert shown["config"]["value"] == read(numbers)


async def test_the_audit_log_keeps_every_digit(endpoint: Endpoint, database: Database) -> None:
    for value in ("0.10", "0.1", "12345678901234567890.10", "{a: [1.50]}"):
        await data(
            endpoint,
            f'mutation {{ setConfig(input: {{key: "k", value: {value}}}) {{ __typename }} }}',
        )

    async with database.read() as session:
        rows = await session.rows(
            text(
                "select cast(before -> 'value' as text), cast(after -> 'value' as text)"
                " from audit_log where entity = 'system_config' order by id"
            )
        )
    assert [tuple(row) for row in rows] == [
        (None, "0.10"),
        ("0.10", "0.1"),
        ("0.1", "12345678901234567890.10"),
        ("12345678901234567890.10", '{"a": [1.50]}'),
    ]


@pytest.mark.parametrize(
    ("declared", "sent", "literal", "kept"),
    [
        ("$s: JSON", "{}", "{a: $s, b: 1}", '{"b": 1}'),
        ("$s: JSON", "{}", "[1, $s, 2]", "[1, null, 2]"),
        ("$s: JSON", "{}", "{a: [{b: $s}, [$s]]}", '{"a": [{}, [null]]}'),
        ("$s: JSON", '{"s": null}', "{a: $s}", '{"a": null}'),
        ("$s: JSON", '{"s": {"n": [1.50, 1e2]}}', "{a: $s}", '{"a": {"n": [1.50, 100]}}'),
        ("$s: JSON = {n: 1.50}", "{}", "{a: $s}", '{"a": {"n": 1.50}}'),
        ("$s: Float", '{"s": 2.50}', "{a: $s}", '{"a": 2.50}'),
        ("$s: Float", '{"s": 7}', "[$s]", "[7]"),
        ("$s: Int", '{"s": 7}', "[$s]", "[7]"),
        ("$s: Boolean", '{"s": false}', "[$s]", "[false]"),
        ("$s: String", '{"s": "1.50"}', "[$s]", '["1.50"]'),
        ("$s: Decimal", '{"s": "1.50"}', "[$s]", '["1.50"]'),
        ("$s: Decimal", '{"s": 1.50}', "[$s]", "[1.50]"),
        ("$s: BigInt", '{"s": "12345678901"}', "[$s]", '["12345678901"]'),
        ("$s: DateTime", '{"s": "2026-11-20T09:30:00Z"}', "[$s]", '["2026-11-20T09:30:00Z"]'),
        ("$s: DreamStatus", '{"s": "ACTIVE"}', "[$s]", '["ACTIVE"]'),
        ("$s: [JSON!]", '{"s": [1.50, {"a": 0}]}', "{a: $s}", '{"a": [1.50, {"a": 0}]}'),
    ],
)
async def test_a_variable_in_a_literal_is_exact(
    endpoint: Endpoint, declared: str, sent: str, literal: str, kept: str
) -> None:
    mutation = f"""mutation ({declared}) {{
        setConfig(input: {{key: "k", value: {literal}}}) {{ configEntry {{ value }} }} }}"""

    answer = await data(endpoint, mutation, sent)

    assert answer["setConfig"]["configEntry"]["value"] == read(kept)
