"""Filters: every comparator of every list takes values of its column, and refuses all others."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from graphql import get_named_type
from test_inputs import PYTHON, messages

from graph.core.types.comparators import Comparator
from graph.schema import schema
from support.graphql_client import Endpoint, codes

QUERIES = schema._schema.query_type.fields
LISTS = {name: field for name, field in QUERIES.items() if "filter" in field.args}
DIGITS = "0" * 8 + "7" * 24
OF_ANY_TYPE = {"entityId"}  # columns with ids of all types
STRAYS: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**40, 1e308, "", "x", "\0", "é" * 2_000),
    *("1E+131072", "1E-131072", "1E+130", "9" * 500, "NaN", "-Infinity", "noon", "%", "_", "\\"),
    *("9999-12-31T23:59:59Z", "1969-12-31T00:00:00Z", [], [None], [[]], ["x"] * 1_001, {}),
    *("x" * 50_000, ["\0"], ["x" * 1_001], "RUNNING", "2026-11-20T09:30:00Z"),
]


def filter_of(name: str) -> Any:
    return get_named_type(LISTS[name].args["filter"].type)


def origin(type_: Any) -> Any:
    return type_.extensions["strawberry-definition"].origin


def comparisons(type_: Any) -> Iterator[tuple[str, str, Any]]:
    """The columns of a filter, each with its operators."""
    for column, field in type_.fields.items():
        compared = get_named_type(field.type)
        if issubclass(origin(compared), Comparator):
            for operator, item in compared.fields.items():
                yield column, operator, item


def ids(type_: Any) -> list[tuple[str, str, bool]]:
    """The columns of a filter that hold ids, with each operator and whether it takes a list."""
    return [
        (column, operator, operator in ("in", "notIn"))
        for column, operator, item in comparisons(type_)
        if get_named_type(item.type).name == "ID"
    ]


def documents(name: str) -> str:
    kind = LISTS[name].args["filter"].type
    return f"query ($filter: {kind}) {{ {name}(first: 1, filter: $filter) {{ totalCount }} }}"


async def refused(endpoint: Endpoint, name: str, filter: Any) -> dict[str, Any]:
    """The one fault of a filter that is refused."""
    answer = await endpoint.answer(documents(name), {"filter": filter})
    assert codes(answer) == ["BAD_USER_INPUT"], (filter, answer)
    [fault] = answer["errors"][0]["extensions"]["errors"]
    return {"field": ".".join(fault["field"]), "message": fault["message"]}


@pytest.mark.parametrize("name", [name for name in LISTS if ids(filter_of(name))])
async def test_an_id_is_compared_with_ids_of_its_own_type(endpoint: Endpoint, name: str) -> None:
    types = ("user", "dream", "ai_test", "ai_model", "event", "agent", "notification", "api_key")
    types += ("ai_test_schedule", "attachment", "alert", "alert_rule", "webhook")

    for column, operator, is_list in ids(filter_of(name)):
        taken = []
        for type_ in types:
            id = f"{type_}_{DIGITS}"
            filter = {column: {operator: [id] if is_list else id}}
            answer = await endpoint.answer(documents(name), {"filter": filter})
            if codes(answer) == []:
                taken.append(type_)
            else:
                fault = await refused(endpoint, name, {"and": [{}, {"not": filter}]})
                place = f"filter.and.1.not.{column}.{operator}{'.0' if is_list else ''}"
                message = f"This is the ID of another type: {type_}."
                assert fault == {"field": place, "message": message}
        expected = len(types) if column in OF_ANY_TYPE else 1
        assert len(taken) == expected, (column, operator, taken)
        for stray in ("", "x", DIGITS, f"{taken[0]}_{DIGITS[1:]}", f"{taken[0]}_{DIGITS.upper()}G"):
            filter = {column: {operator: [stray] if is_list else stray}}
            assert (await refused(endpoint, name, filter))["message"] == (
                "This is not an ID of this API."
            )


@pytest.mark.parametrize(
    ("name", "filter", "field"),
    [
        ("dreams", {"tests": {"userId": {"eq": f"dream_{DIGITS}"}}}, "tests.userId.eq"),
        ("aiTests", {"dream": {"id": {"in": [f"user_{DIGITS}"]}}}, "dream.id.in.0"),
        ("progressLogs", {"dream": {"userId": {"ne": f"agent_{DIGITS}"}}}, "dream.userId.ne"),
    ],
)
async def test_an_id_in_a_relation_is_compared_with_ids_of_its_own_type(
    endpoint: Endpoint, name: str, filter: Any, field: str
) -> None:
    assert (await refused(endpoint, name, filter))["field"] == f"filter.{field}"


@pytest.mark.parametrize(
    ("document", "id", "field"),
    [
        ("query ($id: ID!) { dream(id: $id) { id } }", "user", "id"),
        ("query ($id: ID!) { user(id: $id) { id } }", "dream", "id"),
        ("query ($id: ID!) { aiTest(id: $id) { id } }", "dream", "id"),
        ("query ($id: ID!) { event(id: $id) { id } }", "user", "id"),
        ("query ($id: ID!) { metric(id: $id) { id } }", "event", "id"),
        ("query ($id: ID!) { userAction(id: $id) { id } }", "event", "id"),
        ("query ($id: ID!) { aiModel(id: $id) { id } }", "dream", "id"),
        ("query ($id: ID!) { progressLog(id: $id) { id } }", "dream", "id"),
    ],
)
async def test_an_argument_takes_ids_of_its_own_type(
    endpoint: Endpoint, document: str, id: str, field: str
) -> None:
    answer = await endpoint.answer(document, {"id": f"{id}_{DIGITS}"})

    assert codes(answer) == ["BAD_USER_INPUT"]
    [fault] = answer["errors"][0]["extensions"]["errors"]
    assert fault == {"field": [field], "message": f"This is the ID of another type: {id}."}


@pytest.mark.parametrize("name", LISTS)
async def test_a_stray_value_of_a_comparator_is_a_fault_of_the_caller(
    endpoint: Endpoint, name: str
) -> None:
    """Each operator in turn: columns of one type share them."""
    operators: dict[str, list[str]] = {}
    for column, operator, _ in comparisons(filter_of(name)):
        operators.setdefault(column, []).append(operator)
    for number, column in enumerate(operators):
        for place, stray in enumerate(STRAYS):
            operator = operators[column][(number + place) % len(operators[column])]
            filter = {column: {operator: stray}}
            answer = await endpoint.answer(documents(name), {"filter": filter})
            assert set(codes(answer)) <= {"BAD_USER_INPUT"}, (filter, answer)
            for message in messages(answer):
                assert not PYTHON.search(message), (filter, message)


@pytest.mark.parametrize(
    "filter",
    [
        *({"title": given} for given in (None, {"eq": None}, {"in": None}, {"isNull": None})),
        *({"and": given} for given in (None, [{}] * 101, [{"title": None}])),
        *({"or": given} for given in (None, [{}] * 101)),
        *({"not": given} for given in (None, {"not": None})),
        *({"tests": given} for given in (None, {"provider": {"eq": None}})),
        {"title": {"in": ["a"] * 1_001}},
        {"tags": {"hasAny": ["a"] * 1_001}},
        {"tags": {"hasAll": ["a" * 1_001]}},
    ],
    ids=lambda filter: json.dumps(filter)[:40],
)
async def test_a_filter_that_is_none_or_too_large_is_refused(
    endpoint: Endpoint, filter: Any
) -> None:
    assert (await refused(endpoint, "dreams", filter))["field"].startswith("filter.")


@pytest.mark.parametrize("cost", ["1E+131072", "-1E+131072", "1E-131072", "1E+309"])
async def test_a_decimal_that_the_driver_would_distort_is_refused(
    endpoint: Endpoint, cost: str
) -> None:
    answer = await endpoint.answer(documents("aiTests"), {"filter": {"cost": {"gt": cost}}})

    assert codes(answer) == ["BAD_USER_INPUT"]


def nested(width: int, depth: int) -> Any:
    """Empty conditions, so many in each of so many levels."""
    return {"or": [nested(width, depth - 1) for _ in range(width)]} if depth else {}


@pytest.mark.parametrize(("width", "depth"), [(11, 2), (9, 3), (4, 5)])
async def test_empty_conditions_are_counted_as_well(
    endpoint: Endpoint, width: int, depth: int
) -> None:
    fault = await refused(endpoint, "dreams", nested(width, depth))

    assert fault == {"field": "filter", "message": "A filter has at most 100 conditions."}


async def test_a_filter_does_not_reach_through_two_relations(endpoint: Endpoint) -> None:
    filter = {"tests": {"and": [{"dream": {"title": {"eq": "a"}}}]}}

    fault = await refused(endpoint, "dreams", filter)

    message = "A filter can follow only one relation."
    assert fault == {"field": "filter", "message": message}
