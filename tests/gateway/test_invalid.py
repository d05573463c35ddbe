"""Invalid: all that is wrong with an input, by the names and paths that the client sent."""

from typing import Any

import pytest
from graphql import get_named_type
from test_inputs import MUTATIONS, input_of, places, put

from db import Database
from graph.core.types.node import global_id
from support.factories import make_ai_model, make_dream, make_user
from support.graphql_client import Endpoint, codes
from support.sample_inputs import samples

NULL = "This cannot be null. Omit it to keep the current value."


def field_at(type_: Any, path: tuple[Any, ...]) -> Any:
    """A field of an input, or of its items."""
    for step in path[:-1]:
        type_ = type_ if step == 0 else get_named_type(type_.fields[step].type)
    return type_.fields[path[-1]]


def check_of(verb: str, path: tuple[Any, ...]) -> Any:
    """The check of a field of a mutation, or None."""
    field = field_at(input_of(verb), path)
    return field.extensions["strawberry-definition"].metadata.get("check")


def too_long(verb: str) -> list[tuple[Any, ...]]:
    """The paths of the texts of a mutation whose input is judged as a whole."""
    found = []
    for path in places(input_of(verb)):
        check, type_ = check_of(verb, path), field_at(input_of(verb), path).type
        is_text = get_named_type(type_).name == "String"
        if check and check.most and is_text and 0 not in path and not is_one_of(verb, path):
            found.append(path)
    return found


def is_one_of(verb: str, path: tuple[Any, ...]) -> bool:
    """True for a field within one of several, of which only one is given."""
    outer = get_named_type(field_at(input_of(verb), path[:1]).type)
    return bool(getattr(outer, "is_one_of", False))


async def errors_of(endpoint: Endpoint, verb: str, input: Any) -> list[Any]:
    """The errors of a mutation, which are all INVALID, with dotted paths."""
    payload = await endpoint.payload(verb, input)
    assert {error["code"] for error in payload["errors"]} == {"INVALID"}
    return [
        {"message": error["message"], "field": ".".join(error["field"])}
        for error in payload["errors"]
    ]


def dotted(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


@pytest.mark.parametrize("verb", [verb for verb in MUTATIONS if too_long(verb)])
async def test_every_text_that_is_too_long_is_reported_at_once_and_under_its_name(
    database: Database, endpoint: Endpoint, verb: str
) -> None:
    input = (await samples(database, endpoint.user))[verb]
    expected = []
    for path in too_long(verb):
        text = "x" * (check_of(verb, path).most + 1)
        is_list = isinstance(input.get(path[0]), list)
        input = put(input, path, [text] if is_list else text)
        expected.append(dotted((*path, 0) if is_list else path))

    errors = await errors_of(endpoint, verb, input)

    assert [error["field"] for error in errors][: len(expected)] == expected


async def test_all_that_is_wrong_is_reported_at_once(
    database: Database, endpoint: Endpoint
) -> None:
    user = global_id(await make_user(database))
    input = {
        "dreamId": user,
        "provider": "OpenAI",
        "model": "",
        "status": "FAILED",
        "impossibilityScore": 50,
        "confidence": 101,
        "durationMs": "-1",
        "cost": "10000",
        "parameters": [],
        "idempotencyKey": "",
    }

    short = "This text must have 1 to 200 characters."
    assert await errors_of(endpoint, "recordAiTest", input) == [
        {"field": "dreamId", "message": "This is the ID of another type: user."},
        {
            "field": "provider",
            "message": "A provider must be in lower case, like `openai`.",
        },
        {"field": "model", "message": short},
        {"field": "confidence", "message": "This must be a number from 0 to 100."},
        {"field": "durationMs", "message": "This must be a number from 0 to 10,000,000,000,000."},
        {"field": "cost", "message": "This must be a number from 0 to 9,999.999999."},
        {"field": "parameters", "message": "This must be a JSON object."},
        {"field": "idempotencyKey", "message": short},
        {"field": "impossibilityScore", "message": "Only a COMPLETED test can have a score."},
    ]


async def test_at_most_twenty_errors_are_reported(endpoint: Endpoint) -> None:
    errors = await errors_of(endpoint, "createDream", {"title": "Fly", "tags": [""] * 40})

    assert [error["field"] for error in errors] == [f"tags.{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("verb", "input", "field"),
    [
        ("editDream", {"title": None}, "title"),
        ("editDream", {"tags": None}, "tags"),
        ("editDream", {"category": None}, "category"),
        ("remixDream", {"title": None}, "title"),
    ],
)
@pytest.mark.parametrize("literal", [False, True])
async def test_null_for_a_required_column_is_refused_in_plain_words(
    database: Database, endpoint: Endpoint, verb: str, input: Any, field: str, literal: bool
) -> None:
    dream = global_id(await make_dream(database, user_id=endpoint.user.id))
    if literal:
        document = f"""mutation {{ answer: {verb}(input: {{ id: "{dream}", {field}: null }}) {{
            errors {{ message field }} }} }}"""
        errors = (await endpoint.data(document))["answer"]["errors"]
        assert errors == [{"field": [field], "message": NULL}]
    else:
        errors = await errors_of(endpoint, verb, {"id": dream, **input})
        assert errors == [{"field": field, "message": NULL}]


async def test_tests_of_a_batch_are_refused_one_by_one_with_paths_in_the_input(
    database: Database, endpoint: Endpoint
) -> None:
    dream = global_id(await make_dream(database, user_id=endpoint.user.id))
    good = {"dreamId": dream, "provider": "openai", "model": "gpt-4"}
    bad = {"dreamId": "x", "provider": "Open AI", "model": "m", "impossibilityScore": -1}
    shown = "storedCount refused { index errors { field } }"

    answer = await endpoint.mutate("recordAiTests", {"tests": [good, bad, good]}, shown)

    names = ["dreamId", "provider", "impossibilityScore"]
    errors = [{"field": ["tests", "1", name]} for name in names]
    assert answer == {"storedCount": 2, "refused": [{"index": 1, "errors": errors}]}


async def test_items_of_a_batch_are_refused_one_by_one_with_all_that_is_wrong(
    endpoint: Endpoint,
) -> None:
    good = {"eventType": "deployed", "source": "ci"}
    bad = {"eventType": "", "source": "x" * 201, "severity": "BAD"}
    shown = "storedCount refused { index errors { field } }"

    answer = await endpoint.mutate("logEvents", {"events": [good, bad]}, shown)

    names = ["eventType", "source", "severity"]
    errors = [{"field": ["events", "1", name]} for name in names]
    assert answer == {"storedCount": 1, "refused": [{"index": 1, "errors": errors}]}


async def test_time_and_key_of_an_item_are_refused_with_the_rest(
    database: Database, endpoint: Endpoint
) -> None:
    event = {"eventType": "", "source": "ci", "timestamp": "1999-01-01T00:00:00Z"}
    dream = global_id(await make_dream(database, user_id=endpoint.user.id))
    test = {"dreamId": dream, "provider": "Open AI", "model": "m", "at": "1999-01-01T00:00:00Z"}
    shown = "refused { errors { field } }"

    events = await endpoint.mutate("logEvents", {"events": [event | {"idempotencyKey": ""}]}, shown)
    tests = await endpoint.mutate("recordAiTests", {"tests": [test]}, shown)

    names = ("timestamp", "idempotencyKey", "eventType")
    errors = [{"field": ["events", "0", name]} for name in names]
    assert events == {"refused": [{"errors": errors}]}
    errors = [{"field": ["tests", "0", name]} for name in ("provider", "at")]
    assert tests == {"refused": [{"errors": errors}]}


async def test_errors_of_postgresql_have_the_names_of_the_input(
    database: Database, endpoint: Endpoint
) -> None:
    await make_ai_model(database, provider="openai", name="gpt-5")
    user = {"id": global_id(await make_user(database))}

    taken = await endpoint.mutate("createAiModel", {"provider": "openai", "name": "gpt-5"})
    missing = await errors_of(endpoint, "editUser", {**user, "passportTier": None})

    assert taken["message"] == "There is already one with this provider and name."
    assert missing == [{"field": "passportTier", "message": "This value is required."}]


@pytest.mark.parametrize("status", ["ACHIEVED", "ARCHIVED"])
async def test_a_dream_begins_as_a_draft_or_active(
    database: Database, endpoint: Endpoint, status: str
) -> None:
    errors = await errors_of(endpoint, "createDream", {"title": "Fly", "status": status})

    message = "This must be one of DRAFT, ACTIVE."
    assert errors == [{"field": "status", "message": message}]


async def test_an_agent_with_the_longest_name_reports_how_it_works(endpoint: Endpoint) -> None:
    input = {"agentKey": "x" * 200, "status": "RUNNING", "responseTime": 5, "successRate": 98}
    worse = {"responseTime": -1, "successRate": 100.5, "taskCount": -1}

    stored = await endpoint.mutate("reportAgentPerformance", input)
    errors = await errors_of(endpoint, "reportAgentPerformance", input | worse)

    assert stored == {}
    assert [error["field"] for error in errors] == list(worse)


@pytest.mark.parametrize(
    ("query", "value", "field"),
    [
        ("query ($v: String!) { agent(key: $v) { key } }", "x" * 201, "key"),
        ("query ($v: [DreamOrder!]) { dreams(orderBy: $v) { totalCount } }", None, "orderBy"),
        ("query ($v: String) { dreams(search: $v) { totalCount } }", "x" * 501, "search"),
        ("query ($v: String) { dreams(after: $v) { totalCount } }", "x" * 5_000, "after"),
        (
            "query ($v: [String!]) { metricSummary(names: $v) { rows { count } } }",
            ["a", "x" * 301],
            "names.1",
        ),
        ("query ($v: String) { configs(category: $v) { totalCount } }", "x" * 201, "category"),
        ("query ($v: String!) { featureEnabled(key: $v) }", "x" * 201, "key"),
        ("query ($v: ID!) { dream(id: $v) { id } }", "x" * 101, "id"),
    ],
)
async def test_an_argument_of_a_query_is_refused_under_its_name(
    endpoint: Endpoint, query: str, value: Any, field: str
) -> None:
    value = [{"field": "TITLE"}] * 11 if value is None else value

    answer = await endpoint.answer(query, {"v": value})

    assert codes(answer) == ["BAD_USER_INPUT"]
    [fault] = answer["errors"][0]["extensions"]["errors"]
    assert fault == {"field": field.split("."), "message": answer["errors"][0]["message"]}
