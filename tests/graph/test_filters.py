"""Filters: every comparator by example, what is refused, and which partitions a time reads."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from counting import statements
from db import Database, ai_tests, dreams
from db.core.filter import All, Compare, Condition, Either, Not, Some
from db.core.listing import Slice
from db.users import User
from factories import make_ai_test, make_dream, make_progress_log, make_user
from graph.core.filter import MAX_CONDITIONS, MAX_LEVELS, MAX_VALUES
from graph.core.node import global_id, id_of
from graph.core.operation import Answer, RequestFailed, prepare
from graph.schema import schema

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[Answer]]

DREAMS = "query ($filter: DreamFilter) { found: dreams(filter: $filter) { nodes { title } } }"
TESTS = "query ($filter: AiTestFilter) { found: aiTests(filter: $filter) { nodes { model } } }"
LOGS = """query ($filter: ProgressLogFilter) {
    found: progressLogs(filter: $filter) { nodes { testCount } } }"""
UPDATED = {
    "old": datetime(2026, 1, 1, tzinfo=UTC),
    "mid": datetime(2026, 2, 1, 12, 30, 0, 1, tzinfo=UTC),
    "new": datetime(2026, 3, 1, tzinfo=UTC),
}
ADA = UUID("01930000-0000-7000-8000-000000000001")
BOB = UUID("01930000-0000-7000-8000-000000000002")


async def found(data: Data, document: str, filter: dict[str, Any]) -> str:
    """What a filter finds, oldest first, in one text."""
    nodes = (await data(document, {"filter": filter}))["found"]["nodes"]
    return " ".join(str(value) for node in reversed(nodes) for value in node.values())


@pytest.mark.parametrize(
    ("column", "examples"),
    [
        (
            "title",
            [
                ({"eq": "mid"}, "mid"),
                ({"eq": "MID"}, ""),
                ({"ne": "mid"}, "old new"),
                ({"in": ["old", "new", "older"]}, "old new"),
                ({"in": []}, ""),
                ({"notIn": ["old", "new"]}, "mid"),
                ({"notIn": []}, "old mid new"),
                ({"lt": "mid"}, ""),
                ({"lte": "mid"}, "mid"),
                ({"gt": "mid"}, "old new"),
                ({"gte": "mid"}, "old mid new"),
                ({"contains": "D"}, "old mid"),
                ({"contains": ""}, "old mid new"),
                ({"contains": "%"}, ""),
                ({"contains": "_"}, ""),
                ({"startsWith": "N"}, "new"),
                ({"startsWith": "ew"}, ""),
                ({"isNull": True}, ""),
                ({"isNull": False}, "old mid new"),
                ({"gte": "mid", "ne": "new"}, "old mid"),
                ({}, "old mid new"),
            ],
        ),
        (
            "category",
            [
                ({"eq": "MATH"}, "old"),
                ({"ne": "MATH"}, "mid new"),
                ({"in": ["MATH", "VISION"]}, "old new"),
                ({"notIn": ["MATH", "VISION"]}, "mid"),
            ],
        ),
        (
            "tags",
            [
                ({"hasAny": ["a", "c"]}, "old mid"),
                ({"hasAny": []}, ""),
                ({"hasAll": ["a", "b"]}, "mid"),
                ({"hasAll": []}, "old mid new"),
                ({"hasAny": ["c", "b"], "hasAll": ["a"]}, "mid"),
            ],
        ),
        (
            "isPublic",
            [
                ({"eq": True}, "old mid"),
                ({"ne": True}, "new"),
                ({"isNull": False}, "old mid new"),
            ],
        ),
        (
            "userId",
            [
                ({"eq": id_of(User.Record, ADA)}, "old"),
                ({"ne": id_of(User.Record, ADA)}, "mid new"),
                ({"in": [id_of(User.Record, ADA), id_of(User.Record, BOB)]}, "old mid"),
                ({"notIn": [id_of(User.Record, ADA)]}, "mid new"),
                ({"isNull": True}, "new"),
                ({"isNull": False}, "old mid"),
            ],
        ),
        (
            "updatedAt",
            [
                ({"eq": "2026-02-01T12:30:00.000001Z"}, "mid"),
                ({"eq": "2026-02-01T12:30:00Z"}, ""),
                ({"ne": "2026-02-01T12:30:00.000001Z"}, "old new"),
                ({"in": ["2026-01-01T01:00:00+01:00"]}, "old"),
                ({"notIn": ["2026-01-01T01:00:00+01:00"]}, "mid new"),
                ({"lt": "2026-02-01T12:30:00.000001Z"}, "old"),
                ({"lte": "2026-02-01T12:30:00.000001Z"}, "old mid"),
                ({"gt": "2026-02-01T12:30:00.000001Z"}, "new"),
                ({"gte": "2026-02-01T12:30:00.000001Z"}, "mid new"),
                ({"isNull": True}, ""),
            ],
        ),
    ],
)
async def test_comparisons_of_dreams(
    database: Database, data: Data, column: str, examples: list[tuple[dict[str, Any], str]]
) -> None:
    for id in (ADA, BOB):
        await make_user(database, id=id)
    rows = (
        ("old", ADA, "MATH", ["a"], True),
        ("mid", BOB, "CODING", ["a", "b", "c"], True),
        ("new", None, "VISION", [], False),
    )
    for title, owner, category, tags, public in rows:
        await make_dream(
            database,
            title=title,
            user_id=owner,
            category=category,
            tags=tags,
            is_public=public,
            updated_at=UPDATED[title],
        )

    answers = [await found(data, DREAMS, {column: filter}) for filter, _ in examples]

    assert answers == [expected for _, expected in examples]


@pytest.mark.parametrize(
    ("column", "examples"),
    [
        (
            "impossibilityScore",
            [
                ({"eq": 33.33}, "low"),
                ({"eq": 33.334}, ""),
                ({"ne": 33.33}, "high none"),
                ({"in": [33.33, 80]}, "low high"),
                ({"notIn": [33.33, 80]}, "none"),
                ({"lt": 80}, "low"),
                ({"lte": 80}, "low high"),
                ({"gt": 33.329}, "low high"),
                ({"gte": 33.331}, "high"),
                ({"lt": 1e300}, "low high"),
                ({"isNull": True}, "none"),
                ({"isNull": False}, "low high"),
            ],
        ),
        (
            "cost",
            [
                ({"eq": "0.03"}, "low"),
                ({"eq": "0.0300001"}, ""),
                ({"ne": "0.030000"}, "high none"),
                ({"in": ["0.03", 1.5]}, "low high"),
                ({"notIn": ["0.03"]}, "high none"),
                ({"lt": "123456789012"}, "low high"),
                ({"lte": "0.03"}, "low"),
                ({"gt": "0.0299999"}, "low high"),
                ({"gte": "1.5"}, "high"),
                ({"isNull": True}, "none"),
            ],
        ),
        (
            "tokensUsed",
            [
                ({"eq": 5_000_000_000}, "high"),
                ({"ne": "5000000000"}, "low none"),
                ({"in": [10, "5000000000"]}, "low high"),
                ({"notIn": [10]}, "high none"),
                ({"lt": 2**63 - 1}, "low high"),
                ({"lte": 10}, "low"),
                ({"gt": 10}, "high"),
                ({"gte": 10}, "low high"),
                ({"isNull": True}, "none"),
            ],
        ),
        (
            "status",
            [({"eq": "COMPLETED"}, "low high"), ({"notIn": ["COMPLETED", "RUNNING"]}, "none")],
        ),
    ],
)
async def test_comparisons_of_tests(
    database: Database, data: Data, column: str, examples: list[tuple[dict[str, Any], str]]
) -> None:
    dream = (await make_dream(database)).id
    rows = (
        ("low", "33.33", "0.03", 10, "COMPLETED"),
        ("high", 80, "1.5", 5_000_000_000, "COMPLETED"),
        ("none", None, None, None, "PENDING"),
    )
    for model, score, cost, tokens, status in rows:
        await make_ai_test(
            database,
            dream_id=dream,
            model=model,
            impossibility_score=score,
            cost=cost,
            tokens_used=tokens,
            status=status,
        )

    answers = [await found(data, TESTS, {column: filter}) for filter, _ in examples]

    assert answers == [expected for _, expected in examples]


async def test_comparisons_of_plain_integers(database: Database, data: Data) -> None:
    dream = (await make_dream(database)).id
    for count in (1, 2, 3):
        await make_progress_log(database, dream_id=dream, test_count=count)
    examples: list[tuple[dict[str, Any], str]] = [
        ({"eq": 2}, "2"),
        ({"ne": 2}, "1 3"),
        ({"in": [1, 3]}, "1 3"),
        ({"notIn": [1, 3]}, "2"),
        ({"lt": 2}, "1"),
        ({"lte": 2}, "1 2"),
        ({"gt": 2}, "3"),
        ({"gte": 2}, "2 3"),
        ({"isNull": True}, ""),
    ]

    answers = [await found(data, LOGS, {"testCount": filter}) for filter, _ in examples]

    assert answers == [expected for _, expected in examples]


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        ({}, "a b c"),
        ({"and": []}, "a b c"),
        ({"or": []}, ""),
        ({"or": [{}]}, "a b c"),
        ({"not": {}}, ""),
        ({"not": {"not": {"title": {"eq": "a"}}}}, "a"),
        ({"and": [{"title": {"gte": "b"}}, {"title": {"lte": "b"}}]}, "b"),
        ({"or": [{"title": {"eq": "a"}}, {"title": {"eq": "c"}}]}, "a c"),
        ({"title": {"ne": "a"}, "or": [{"title": {"eq": "a"}}, {"title": {"eq": "c"}}]}, "c"),
        ({"tests": {}}, "a b"),
        ({"not": {"tests": {}}}, "c"),
        ({"tests": {"model": {"eq": "x"}, "impossibilityScore": {"gt": 50}}}, "b"),
        (
            {"and": [{"tests": {"model": {"eq": "x"}}}, {"tests": {"cost": {"isNull": True}}}]},
            "a",
        ),
        ({"tests": {"not": {"model": {"eq": "x"}}}}, "a"),
    ],
)
async def test_filters_are_joined_and_reach_through_relations(
    database: Database, data: Data, filter: dict[str, Any], expected: str
) -> None:
    ada = await make_user(database, email="ada@example.org")
    bob = await make_user(database, email=None)
    a, b, _ = [
        await make_dream(database, title=title, user_id=owner)
        for title, owner in (("a", ada.id), ("b", bob.id), ("c", None))
    ]
    for dream, model, score, cost in (
        (a, "x", 10, "1"),
        (a, "y", 90, None),
        (b, "x", 90, "1"),
    ):
        await make_ai_test(
            database, dream_id=dream.id, model=model, impossibility_score=score, cost=cost
        )

    with statements(database, exactly=1):
        assert await found(data, DREAMS, filter) == expected


# Refusals.


def nested(levels: int, column: str = "title") -> dict[str, Any]:
    return {"not": nested(levels - 1, column)} if levels > 1 else {column: {"eq": "a"}}


def conditions(count: int) -> dict[str, Any]:
    return {"or": [{"title": {"eq": "a"}} for _ in range(count)]}


@pytest.mark.parametrize(
    "filter",
    [nested(MAX_LEVELS), conditions(MAX_CONDITIONS), {"title": {"in": ["a"] * MAX_VALUES}}],
    ids=["levels", "conditions", "values"],
)
async def test_filters_may_be_as_large_as_allowed(
    database: Database, data: Data, filter: dict[str, Any]
) -> None:
    assert await found(data, DREAMS, filter) == ""


@pytest.mark.parametrize(
    ("filter", "message"),
    [
        ({"title": None}, "Null is no condition; leave it out."),
        ({"not": None}, "Null is no condition; leave it out."),
        ({"and": None}, "Null is no condition; leave it out."),
        ({"tests": None}, "Null is no condition; leave it out."),
        ({"title": {"eq": None}}, "Null compares with nothing; use isNull."),
        ({"title": {"isNull": None}}, "Null compares with nothing; use isNull."),
        ({"tags": {"hasAny": None}}, "Null compares with nothing; use isNull."),
        (nested(MAX_LEVELS + 1), "Filters nest at most 6 deep."),
        ({"tests": nested(MAX_LEVELS, "model")}, "Filters nest at most 6 deep."),
        (conditions(MAX_CONDITIONS + 1), "A filter has at most 100 conditions."),
        (
            {"title": {"in": ["a"] * (MAX_VALUES + 1)}},
            "At most 1000 values can be compared at once.",
        ),
        (
            {"tests": {"dream": {"title": {"eq": "a"}}}},
            "Filters reach through one relation, not further.",
        ),
        ({"userId": {"eq": "ada"}}, "This is not an id of this API."),
        ({"userId": {"in": ["ghost_" + "0" * 32]}}, "This is not an id of this API."),
        ({"userId": {"eq": "user_" + "0" * 31}}, "This is not an id of this API."),
        ({"userId": {"eq": "user_" + "0" * 31 + "G"}}, "This is not an id of this API."),
        (
            {"title": {"eq": "\x00"}},
            "A value is out of range, or holds characters that cannot be stored.",
        ),
    ],
)
async def test_a_filter_that_makes_no_sense_is_refused(
    database: Database, run: Run, filter: dict[str, Any], message: str
) -> None:
    answer = await run(DREAMS, {"filter": filter})

    (error,) = answer.errors
    assert (answer.data, answer.executed) == (None, True)
    assert (error["message"], error["extensions"]["code"]) == (message, "BAD_USER_INPUT")


@pytest.mark.parametrize(
    "filter",
    [
        "{ title: { in: [null] } }",
        "{ isPublic: { lt: true } }",
        "{ category: { contains: MATH } }",
        "{ category: { eq: COOKING } }",
        "{ description: { eq: null } }",
        '{ search: { eq: "x" } }',
        '{ importKey: { eq: "x" } }',
        '{ owner: { email: { eq: "x" } } }',
    ],
)
def test_a_filter_the_schema_does_not_have_is_no_valid_document(filter: str) -> None:
    with pytest.raises(RequestFailed) as failed:
        prepare(schema, f"{{ dreams(filter: {filter}) {{ totalCount }} }}")

    codes = {error.extensions["code"] for error in failed.value.errors}
    assert codes == {"GRAPHQL_VALIDATION_FAILED"}


async def test_an_id_of_another_type_is_refused_by_name(database: Database, run: Run) -> None:
    user = await make_user(database)

    with statements(database, exactly=0):
        answer = await run("query ($id: ID!) { dream(id: $id) { id } }", {"id": global_id(user)})

    (error,) = answer.errors
    assert answer.data == {"dream": None}
    assert error["message"] == "This is the id of another type: user."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_no_filter_is_no_condition(database: Database, data: Data) -> None:
    await make_dream(database, title="a")

    answers = [(await data(DREAMS, given))["found"] for given in ({}, {"filter": None})]

    assert answers == [{"nodes": [{"title": "a"}]}] * 2


# Partitions.

MARCH = datetime(2019, 3, 14, 15, 9, 26, 535897, tzinfo=UTC)
APRIL = datetime(2019, 4, 1, tzinfo=UTC)
MAY = datetime(2019, 5, 1, tzinfo=UTC)


def created(operator: str, at: datetime) -> Compare:
    return Compare("created_at", operator, at)


@pytest.mark.parametrize(
    ("condition", "months"),
    [
        (created("eq", MARCH), ["03"]),
        (created("lt", APRIL), ["03"]),
        (created("lte", APRIL), ["03", "04"]),
        (All((created("gt", MARCH), created("lt", APRIL))), ["03"]),
        (All((created("gte", APRIL), created("lt", MAY))), ["04"]),
        (Either((created("eq", MARCH), created("eq", MAY))), ["03", "05"]),
        (created("ne", MARCH), ["03", "04", "05"]),
        (Not(created("lt", APRIL)), ["03", "04", "05"]),
    ],
)
async def test_a_time_reads_only_the_partitions_it_meets(
    database: Database, condition: Condition, months: list[str]
) -> None:
    dream = (await make_dream(database)).id
    for at in (MARCH, APRIL, MAY):
        await make_ai_test(database, dream_id=dream, created_at=at)

    where = ai_tests.LISTING.conditions(Slice(condition))
    plan = await _plan(database, ai_tests.AiTest.select().where(*where))

    read = [month for month in ("03", "04", "05") if f"ai_tests_y2019m{month}" in plan]
    assert read == months


async def test_a_time_of_related_tests_reads_one_partition(database: Database) -> None:
    for at in (MARCH, APRIL):
        await make_ai_test(database, created_at=at)
    condition = Some("tests", created("eq", MARCH))

    where = dreams.LISTING.conditions(Slice(condition))
    plan = await _plan(database, dreams.Dream.select().where(*where))

    assert "ai_tests_y2019m03" in plan
    assert "ai_tests_y2019m04" not in plan


async def _plan(database: Database, statement: Any) -> str:
    dialect = database.engine.sync_engine
    literal = statement.compile(dialect, compile_kwargs={"literal_binds": True})
    async with database.read() as session:
        rows = await session.rows(text("explain (costs off) " + str(literal).replace(":", r"\:")))
    return "\n".join(row[0] for row in rows)
