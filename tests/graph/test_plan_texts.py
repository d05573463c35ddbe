"""Rows that PostgreSQL prints: the same bytes as ours, to every viewer, or graphql-core answers."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text as sql

from db import Database
from db.core.values import json
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.principal import DEVELOPER, Principal
from graph.core.types.node import global_id
from graph.schema import schema
from support.executors import needs_plans
from support.factories import (
    make_agent,
    make_ai_test,
    make_dream,
    make_progress_log,
    make_user,
)
from support.query_count import statements

pytestmark = needs_plans
LETTERS = "".join(chr(n) for n in range(1, 0x10000) if not 0xD800 <= n < 0xE000) + "\U0001f600"
DREAMS = """{ dreams {
  nodes { __typename id title description category tags isPublic version createdAt }
} }"""
TESTS = """{ aiTests { nodes {
  impossibilityScore confidence durationMs cost testParameters completedAt createdAt
} } }"""
LEVELS = """query ($size: Int = 2) { dreams { nodes {
  title
  owner { email }
  newest: latestTest { model }
  page: tests(first: $size) { __typename nodes { model score: impossibilityScore } }
} } }"""


async def ask(
    database: Database, text: str, principal: Principal = DEVELOPER, **variables: object
) -> tuple[dict[str, Any], str | None]:
    """The data of the answer, which both executors give, and why graphql-core gave it."""
    operation = prepare(schema, text)
    context = Context(database, principal, "request")
    plan = await execute(operation, variables, context)
    core = await execute(
        operation, variables, Context(database, principal, "request", executor="core")
    )
    assert plan.body == core.body
    data: dict[str, Any] = json.loads(plan.body)["data"]
    return data, context.fallback


async def change(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.connection.execute(sql(statement))


async def test_texts_have_the_same_escapes(database: Database) -> None:
    for start in range(0, len(LETTERS), 4_000):
        part = LETTERS[start : start + 4_000]
        await make_dream(database, description=part, tags=[part[:100], '"', "\\", "a/b", ""])
    await make_dream(database, description=None, tags=[])

    data, fallback = await ask(database, DREAMS)

    shown = [dream["description"] or "" for dream in data["dreams"]["nodes"]]
    assert "".join(reversed(shown)) == LETTERS
    assert fallback is None


@pytest.mark.parametrize("score", ["0", "0.5", "7", "10", "12.34", "99.9", "100", None])
async def test_numbers_and_times_have_the_same_digits(
    database: Database, score: str | None
) -> None:
    for microsecond in (0, 1, 120_000, 999_999):
        await make_ai_test(
            database,
            impossibility_score=None if score is None else Decimal(score),
            confidence=Decimal("0.05"),
            cost=None if score is None else Decimal("0.000001"),
            duration=2**53 + 1,
            test_parameters={"a": [1, 1.0, 1e30, " , : "], "b\n": None, "c": 2**70, "d": "\x7f"},
            completed_at=datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC),
        )

    data, fallback = await ask(database, TESTS)

    assert data["aiTests"]["nodes"][0]["completedAt"] == "2026-01-02T03:04:05.999999Z"
    assert fallback is None


async def test_levels_are_read_by_one_statement(database: Database) -> None:
    owner = await make_user(database, email="ada@example.org")
    dream = await make_dream(database, title="first", user_id=owner.id)
    for number in range(3):
        await make_ai_test(database, dream_id=dream.id, model=f"m{number}", impossibility_score=5)
    await make_dream(database, title="second", user_id=None)
    operation = prepare(schema, LEVELS)

    with statements(database, exactly=1):
        result = await execute(operation, None, Context(database, DEVELOPER, "request"))

    second, first = json.loads(result.body)["data"]["dreams"]["nodes"]
    empty = {"__typename": "AiTestConnection", "nodes": []}
    assert second == {"title": "second", "owner": None, "newest": None, "page": empty}
    assert first == {
        "title": "first",
        "owner": {"email": "ada@example.org"},
        "newest": {"model": "m2"},
        "page": {
            "__typename": "AiTestConnection",
            "nodes": [{"model": "m2", "score": 5.0}, {"model": "m1", "score": 5.0}],
        },
    }


async def test_a_page_that_is_planned_for_values_is_read_by_level(database: Database) -> None:
    dream = await make_dream(database, title="mine")
    await make_ai_test(database, dream_id=dream.id, model="m")
    await make_dream(database, title="other")
    text = "{ dreams(filter: %s) { nodes { title tests { nodes { model } } } } }"
    mine = {"dreams": {"nodes": [{"title": "mine", "tests": {"nodes": [{"model": "m"}]}}]}}

    by_title = text % '{title: {eq: "mine"}}'
    assert await ask(database, by_title) == (mine, None)
    with statements(database, exactly=2):
        await execute(prepare(schema, by_title), None, Context(database, DEVELOPER, "request"))
    with statements(database, exactly=1) as sent:
        active = prepare(schema, text % "{status: {eq: ACTIVE}, category: {eq: REASONING}}")
        await execute(active, None, Context(database, DEVELOPER, "request"))
    assert "$" not in sent[0]  # it has one plan


async def test_pages_within_rows_depend_on_variables(database: Database) -> None:
    dream = await make_dream(database)
    for _ in range(3):
        await make_ai_test(database, dream_id=dream.id)

    for size in (1, 3, 2, 0):
        data, fallback = await ask(database, LEVELS, size=size)
        assert len(data["dreams"]["nodes"][0]["page"]["nodes"]) == size
        assert fallback is None
    data, fallback = await ask(database, LEVELS.replace("dreams {", "dreams @include(if: true) {"))
    assert fallback is None


async def test_an_invalid_page_within_rows_is_refused_only_if_it_is_read(
    database: Database,
) -> None:
    assert await ask(database, LEVELS, size=101) == (
        {"dreams": {"nodes": []}},
        "invalid arguments",
    )
    await make_dream(database)
    assert await ask(database, LEVELS, size=101) == (None, "invalid arguments")


async def test_columns_of_other_users_are_null(database: Database) -> None:
    ada, bob = await make_user(database), await make_user(database)
    await make_dream(database, user_id=ada.id)
    await make_dream(database, user_id=bob.id)
    text = "{ dreams { nodes { owner { email } } } }"

    def emails(data: dict[str, Any]) -> list[str | None]:
        return [dream["owner"]["email"] for dream in data["dreams"]["nodes"]]

    for principal, shown in (
        (Principal(ada.id, Role.MEMBER), [None, ada.email]),
        (Principal(bob.id, Role.MEMBER), [bob.email, None]),
        (Principal(bob.id, Role.ADMIN), [bob.email, ada.email]),
        (Principal(ada.id, Role.MEMBER, scopes=frozenset({"users:read"})), [None, ada.email]),
    ):
        data, fallback = await ask(database, text, principal)
        assert (emails(data), fallback) == (shown, None)


async def test_rows_that_a_viewer_does_not_see_are_missing_in_rows(database: Database) -> None:
    ada, bob = await make_user(database), await make_user(database)
    for owner, is_public in ((ada, True), (ada, False), (bob, False)):
        dream = await make_dream(database, user_id=owner.id, is_public=is_public)
        test = await make_ai_test(database, dream_id=dream.id, user_id=bob.id)
        await make_dream(database, user_id=bob.id, is_public=True, remixed_from_id=dream.id)
    text = "{ users(first: 9) { nodes { id dreams(first: 9) { nodes { id } } } } }"
    me = "{ aiTests { nodes { id dream { id } } } dreams { nodes { latestTest { id } } } }"

    data, fallback = await ask(database, me, Principal(ada.id, Role.MEMBER))
    assert len(data["aiTests"]["nodes"]) == 2
    assert fallback is None
    everything, _ = await ask(database, me, Principal(bob.id, Role.MEMBER))
    assert global_id(test) in str(everything)
    assert await ask(database, text, DEVELOPER)


@pytest.mark.parametrize(
    ("statement", "shown"),
    [
        ("update dreams set created_at = 'infinity'", "createdAt"),
        ("update dreams set tags = array[null, 'b']", "tags"),
        ("update dreams set tags = array[array['a'], array['b']]", "tags"),
        ("update dreams set category = 'NEW'", "category"),
        (
            "update progress_logs set improvement_trend = 'NaN'",
            "latestProgress { improvementTrend }",
        ),
        (
            "update progress_logs set improvement_trend = 'NaN'",
            "progress { nodes { improvementTrend } }",
        ),
        ("update dreams set category = 'NEW'", "tests { nodes { dream { category } } }"),
    ],
)
async def test_what_the_schema_does_not_allow_is_left_to_graphql_core(
    database: Database, statement: str, shown: str
) -> None:
    dream = await make_dream(database)
    await make_ai_test(database, dream_id=dream.id)
    await make_progress_log(database, dream_id=dream.id)
    await change(database, "alter table dreams drop constraint ck_dreams_category")
    text = f"{{ dreams {{ nodes {{ title {shown} }} }} }}"
    assert (await ask(database, text))[1] is None

    await change(database, statement)

    assert (await ask(database, text))[1] is not None


async def test_a_table_within_itself_is_read_by_level(database: Database) -> None:
    first = await make_dream(database, title="first")
    await make_dream(database, title="second", remixed_from_id=first.id)

    data, fallback = await ask(database, "{ dreams { nodes { title remixedFrom { title } } } }")

    assert data["dreams"]["nodes"] == [
        {"title": "second", "remixedFrom": {"title": "first"}},
        {"title": "first", "remixedFrom": None},
    ]
    assert fallback is None


async def test_documents_are_shown_without_spaces(database: Database) -> None:
    await make_agent(database, current_task={"a": ["b, c", {"d": ": "}], "e\\": 1.10})

    _, fallback = await ask(database, "{ agents { nodes { key currentTask performanceMetrics } } }")

    assert fallback is None
