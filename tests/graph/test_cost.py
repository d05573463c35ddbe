"""Cost: what an operation asks for, in points, from its text and its variables alone."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from graphql import (
    get_introspection_query,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
    is_object_type,
)

from db import Database
from graph.core.context import Context
from graph.core.execution.bounds import Limits
from graph.core.execution.cost import declared_cost
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import DEVELOPER
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_dream, make_user

Data = Callable[..., Awaitable[Any]]


def cost(text: str, **variables: Any) -> int:
    """The points of an operation."""
    return prepare(schema, text).cost.of(variables)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("{ __typename }", 1),
        ("{ rateLimit { cost } }", 1),
        ("{ viewer { role scopes } }", 1),
        ("{ viewer { user { email } } }", 2),
        ("{ dreams { nodes { id title } } }", 1 + 20),
        ("{ dreams { pageInfo { hasNextPage } } }", 1),
        ("{ dreams { totalCount } }", 1 + 5),
        ("{ dreams(first: 3) { edges { cursor node { id } } } }", 1 + 3),
        ("{ dreams(last: 100) { nodes { id } edges { cursor } } }", 1 + 100 + 100),
        ("{ dreams(first: 0) { nodes { id } } }", 1),
        ("{ dreams(first: null) { nodes { id } } }", 1 + 20),
        ("{ dreams(first: 1000000) { nodes { id } } }", 1 + 100),
        ("{ agents(first: 143) { nodes { key } } }", 1 + 143),
        ("{ agents(first: 501) { nodes { key } } }", 1 + 500),
        ("{ dreams(first: -5) { nodes { id } } }", 1),
        ("{ dreams { nodes { owner { email } } } }", 1 + 20 * (1 + 1)),
        (
            "{ dreams(first: 10) { nodes { tests(first: 5) { nodes { id } totalCount } } } }",
            1 + 10 * (1 + 1 + 5 + 5),
        ),
        ("{ dreams(first: 10) { nodes { totals { testCount } decay { bucket } } } }", 1 + 10 * 16),
        ("{ agents(first: 7) { nodes { errors { message } } } }", 1 + 7),
        ("{ a: viewer { role } b: viewer { role } }", 2),
        ("{ viewer { ...V } ...Q } fragment V on Viewer { user { id } } "
         "fragment Q on Query { viewer { ...V } }", 4),
        ("{ node(id: 1) { id ... on Dream { owner { id } } ... { id } } }", 2),
        ('{ nodes(ids: ["a", "b", "c"]) { id ... on Dream { owner { id } } } }', 3 * (1 + 1)),
        ('{ nodes(ids: "a") { id } }', 1),
        ("{ modelComparison { rows { model } } metricSummary { rows { metricName } } }", 200),
        ("{ databaseHealth { version indexUsage { index } } }", 10 + 10),
        ("{ __schema { types { name } } __type(name: \"Dream\") { name } }", 520),
        (get_introspection_query(), 500),
    ],
)  # fmt: skip
def test_an_operation_costs_the_rows_it_may_load(text: str, points: int) -> None:
    assert cost(text) == points


PAGES = """query ($first: Int = 10, $last: Int, $inner: Int) {
    dreams(first: $first, last: $last) { nodes { tests(first: $inner) { nodes { id } } } }
}"""


@pytest.mark.parametrize(
    ("variables", "points"),
    [
        ({"first": 10}, 1 + 10 * (1 + 1 + 20)),
        ({"first": 2, "inner": 3}, 1 + 2 * (1 + 1 + 3)),
        ({"first": None, "last": 4, "inner": None}, 1 + 4 * (1 + 1 + 20)),
        ({"first": 100, "inner": 100}, 1 + 100 * (1 + 1 + 100) + 22 // 20),
    ],
)
def test_page_sizes_may_be_variables(variables: dict[str, Any], points: int) -> None:
    assert cost(PAGES, **variables) == points


def test_ids_may_be_variables() -> None:
    text = (
        "query ($ids: [ID!]!, $id: ID!) { nodes(ids: $ids) { id } more: nodes(ids: [$id]) { id } }"
    )

    assert cost(text, ids=["a"] * 30, id="a") == 31 + 31 // 20
    assert cost(text, ids=[], id="a") == 1
    assert cost(text, ids=["a"] * 5_000, id="a") == 101 + 5_001 // 20


FILTER = "query ($f: DreamFilter) { dreams(filter: $f) { totalCount } }"
ROWS = """query ($f: DreamFilter) {
    dreams(first: 10) { nodes { remixes(first: 1, filter: $f) { totalCount } } }
}"""
DEFAULT = """query ($f: DreamFilter = {or: [{tests: {}}, {tests: {}}]}) {
    dreams(filter: $f) { totalCount }
}"""


@pytest.mark.parametrize(
    ("text", "filter", "points", "values"),
    [
        (FILTER, {"title": {"eq": "a"}}, 6, 3),
        (FILTER, {"title": {"in": ["a"] * 57}}, 6 + 3, 60),
        (FILTER, {"or": [{"tests": {"model": {"eq": "a"}}}, {"not": {"tests": {}}}]}, 6 + 40, 9),
        (FILTER, {"or": {"tests": {}}}, 6 + 20, 3),
        (FILTER, None, 6, 1),
        (FILTER, "odd", 6, 1),
        (ROWS, {"tests": {}}, 1 + 10 * (1 + 6) + 20, (1 + 3) + 9 * 3 // 5),
        ("{ dreams(filter: {and: [{}, {tests: {}}]}) { totalCount } }", {}, 6 + 20, 5),
        ('{ dreams(search: "a b") { totalCount } }', {}, 6 + 10, 1),
        (
            "query ($f: AiTestFilter) { dreams(filter: {tests: $f}) { totalCount } }",
            {"model": {"eq": "a"}},
            6 + 20,
            1 + 3,
        ),
        (
            "query ($f: DreamFilter!) { a: dreams(filter: {or: [$f, $f]}) { totalCount } "
            "...F ...F } fragment F on Query { b: dreams(filter: $f) { totalCount } }",
            {"tests": {}},
            3 * 6 + 4 * 20,
            2 + 4 * 2,
        ),
    ],
)
def test_inputs_cost_points_for_each_use(text: str, filter: Any, points: int, values: int) -> None:
    operation = prepare(schema, text)
    assert operation.cost.of({"f": filter}) == points
    assert operation.cost.values({"f": filter}) == values


def test_a_measured_cost_is_that_of_its_variables() -> None:
    text = """query ($ids: [ID!]!, $f: DreamFilter) {
        nodes(ids: $ids) { id } dreams(filter: $f) { totalCount }
    }"""
    measured = prepare(schema, text).cost
    heavy, light = {"tests": {}}, {"title": {}}
    for _ in range(2):
        assert measured.of({"ids": ["a"], "f": light}) == 1 + 6
        assert measured.of({"ids": ["a", "b"], "f": light}) == 2 + 6
        assert measured.of({"ids": ["a"], "f": heavy}) == 1 + 6 + 20
        assert measured.of({"ids": "a", "f": light}) == 1 + 6
        assert measured.values({"ids": ["a", ["b"]], "f": light}) == 4 + 2
        assert measured.values({"ids": ["a", "b"], "f": light}) == 3 + 2


def test_a_default_costs_as_much_as_a_value() -> None:
    assert (cost(DEFAULT), cost(DEFAULT, f={}), cost(DEFAULT, f=None)) == (6 + 40, 6, 6)


def test_every_list_of_objects_has_a_price() -> None:
    """By its page, its ids or a declaration: otherwise nobody has thought of it. The rows of a
    message of a subscription cost as much as a page, once, when it is opened."""
    lists = [
        f"{name}.{field_name}"
        for name, kind in schema._schema.type_map.items()
        if is_object_type(kind) and not name.startswith("__") and name != "Mutation"
        for field_name, field in kind.fields.items()
        if is_list_type(get_nullable_type(field.type))
        and is_composite_type(get_named_type(field.type))
        and declared_cost(field) is None
        and "ids" not in field.args
        and not name.endswith(("Connection", "Update"))
    ]

    assert lists == []


async def test_a_costly_operation_is_not_executed(database: Database) -> None:
    operation = prepare(schema, PAGES, limits=Limits(cost=1_000))
    context = Context(database, DEVELOPER, "request-7")

    refused = await execute(operation, {"first": 50, "inner": 30}, context)
    allowed = await execute(operation, {"inner": 30}, context)

    message = "The operation costs 1601 points; at most 1000 are allowed. Ask for smaller pages."
    details = {"code": "QUERY_TOO_COMPLEX", "cost": 1601, "maximum": 1000, "requestId": "request-7"}
    assert refused == OperationResult(
        None, [{"message": message, "extensions": details}], executed=False
    )
    assert allowed == OperationResult({"dreams": {"nodes": []}}, [])


async def test_the_default_of_a_variable_counts(database: Database) -> None:
    context = Context(database, DEVELOPER, "request-7", shows_cost=True)

    answer = await execute(prepare(schema, PAGES), None, context)

    shown = {"requested": 1 + 10 * (1 + 1 + 20), "maximum": 5_000, "remaining": None}
    assert answer.extensions == {"cost": shown}


async def test_selecting_the_rate_limit_shows_the_cost(database: Database) -> None:
    dream = await make_dream(database, user_id=(await make_user(database)).id)
    text = """query ($id: ID!) {
        dream(id: $id) { owner { id } } rateLimit { cost limit remaining resetAt }
    }"""
    context = Context(database, DEVELOPER, "request-7")

    answer = await execute(prepare(schema, text), {"id": global_id(dream)}, context)

    assert answer.data
    assert answer.data["rateLimit"] == {
        "cost": 2,
        "limit": None,
        "remaining": None,
        "resetAt": None,
    }
    assert answer.extensions == {"cost": {"requested": 2, "maximum": 5_000, "remaining": None}}


def test_a_subscription_costs_as_much_as_a_page_of_its_rows() -> None:
    assert cost("subscription { events { cursor events { seq } } }") == 21
    assert cost("subscription { events { events { user { role } } } }") == 41
    assert cost("subscription { eventRates { rates { count } } }") == 100
