"""Filters: how conditions are joined and reach through relations, and what is refused."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from db import Database
from graph.core.execution.operation import InvalidOperation, prepare
from graph.core.execution.result import OperationResult
from graph.core.types.comparators import MAX_VALUES
from graph.core.types.filter import MAX_CONDITIONS, MAX_LEVELS
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_ai_test, make_dream, make_user
from support.filtering import DREAMS, Data, found
from support.query_count import statements

Run = Callable[..., Awaitable[OperationResult]]


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
        ({"or": [{"tests": {"model": {"eq": "y"}}}, {"not": {"tests": {}}}]}, "a c"),
        (
            {
                "and": [
                    {"tests": {"model": {"eq": "x"}}},
                    {"not": {"tests": {"model": {"eq": "y"}}}},
                ]
            },
            "b",
        ),
        (
            {
                "title": {"ne": "b"},
                "or": [
                    {"and": [{"tests": {"cost": {"isNull": True}}}, {"tests": {}}]},
                    {"and": [{"not": {"tests": {}}}, {"title": {"eq": "c"}}]},
                ],
            },
            "a c",
        ),
        ({"and": [{"not": {"tests": {}}}, {"not": {"tests": {"model": {"eq": "x"}}}}]}, "c"),
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

    with statements(database, at_most=2):  # a look, if no index serves the filter
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
        ({"title": None}, "Null is not a condition. Omit this field."),
        ({"not": None}, "Null is not a condition. Omit this field."),
        ({"and": None}, "Null is not a condition. Omit this field."),
        ({"tests": None}, "Null is not a condition. Omit this field."),
        ({"title": {"eq": None}}, "Null cannot be compared. Use isNull."),
        ({"title": {"isNull": None}}, "Null cannot be compared. Use isNull."),
        ({"tags": {"hasAny": None}}, "Null cannot be compared. Use isNull."),
        (nested(MAX_LEVELS + 1), "Filters can be nested at most 6 levels deep."),
        ({"tests": nested(MAX_LEVELS, "model")}, "Filters can be nested at most 6 levels deep."),
        (conditions(MAX_CONDITIONS + 1), "At most 100 are allowed."),
        ({"and": [conditions(60), conditions(60)]}, "A filter has at most 100 conditions."),
        ({"or": [{"or": [{}] * 60}] * 2}, "A filter has at most 100 conditions."),
        ({"or": [{"tests": {}}] * 11}, "A filter has at most 10 conditions on related rows."),
        (
            {"title": {"in": ["a"] * (MAX_VALUES + 1)}},
            "At most 1,000 values can be compared at once.",
        ),
        (
            {"tests": {"dream": {"title": {"eq": "a"}}}},
            "A filter can follow only one relation.",
        ),
        ({"userId": {"eq": "ada"}}, "This is not an ID of this API."),
        ({"userId": {"in": ["ghost_" + "0" * 32]}}, "This is not an ID of this API."),
        ({"userId": {"eq": "user_" + "0" * 31}}, "This is not an ID of this API."),
        ({"userId": {"eq": "user_" + "0" * 31 + "G"}}, "This is not an ID of this API."),
        ({"userId": {"eq": "dream_" + "0" * 32}}, "This is the ID of another type: dream."),
        ({"title": {"eq": "\x00"}}, "This text contains a character that cannot be stored."),
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
    with pytest.raises(InvalidOperation) as failed:
        prepare(schema, f"{{ dreams(filter: {filter}) {{ totalCount }} }}")

    codes = {error.extensions["code"] for error in failed.value.errors}
    assert codes == {"GRAPHQL_VALIDATION_FAILED"}


async def test_an_id_of_another_type_is_refused_by_name(database: Database, run: Run) -> None:
    user = await make_user(database)

    with statements(database, exactly=0):
        answer = await run("query ($id: ID!) { dream(id: $id) { id } }", {"id": global_id(user)})

    (error,) = answer.errors
    assert answer.data == {"dream": None}
    assert error["message"] == "This is the ID of another type: user."
    assert error["extensions"]["code"] == "BAD_USER_INPUT"


async def test_no_filter_is_no_condition(database: Database, data: Data) -> None:
    await make_dream(database, title="a")

    answers = [(await data(DREAMS, given))["found"] for given in ({}, {"filter": None})]

    assert answers == [{"nodes": [{"title": "a"}]}] * 2
