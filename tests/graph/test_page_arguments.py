"""What a list may be asked for: windows that make sense, and cursors of its own order."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from db import Database
from graph.core.execution.result import OperationResult
from support.factories import make_agent, make_ai_test, make_dream, make_user
from support.paging import DREAMS, Data
from support.query_count import statements

Run = Callable[..., Awaitable[OperationResult]]

EDGES_OF_TESTS = """query ($orderBy: [AiTestOrder!], $after: String, $before: String) {
    aiTests(orderBy: $orderBy, after: $after, before: $before) { edges { cursor } } }"""
TERMS = [[]] + [
    [{"field": name, "direction": direction}]
    for name in ("IMPOSSIBILITY_SCORE", "DURATION_MS", "COST")
    for direction in ("ASC", "DESC")
]


def refusal(answer: OperationResult) -> str | None:
    """What a refused list says, or None when it was not refused."""
    if not answer.errors:
        return None
    (error,) = answer.errors
    assert (answer.data, error["extensions"]["code"]) == (None, "BAD_USER_INPUT")
    return error["message"]


@pytest.mark.parametrize("order", TERMS)
async def test_a_cursor_of_another_order_is_refused(
    database: Database, run: Run, data: Data, order: list[dict[str, Any]]
) -> None:
    await make_ai_test(database)
    edges = await data(EDGES_OF_TESTS, {"orderBy": order})
    cursor = edges["aiTests"]["edges"][0]["cursor"]

    for other in TERMS:
        with statements(database, exactly=int(other == order)):
            answer = await run(EDGES_OF_TESTS, {"orderBy": other, "after": cursor})
        assert (refusal(answer) is None) is (other == order)


@pytest.mark.parametrize(
    "cursor", ["", " ", "x", "é", "====", "W10", "bnVsbA", "WzFd", "MQ", "eyJhIjoxfQ", "W" * 99]
)
@pytest.mark.parametrize("side", ["after", "before"])
async def test_an_invalid_cursor_is_refused(
    database: Database, run: Run, cursor: str, side: str
) -> None:
    with statements(database, exactly=0):
        answer = await run(EDGES_OF_TESTS, {side: cursor})

    assert refusal(answer) == "This cursor does not belong to a list in this order."


@pytest.mark.parametrize(
    ("window", "message"),
    [
        ({"first": -1}, "first must be between 0 and 100."),
        ({"first": 101}, "first must be between 0 and 100."),
        ({"last": -1}, "last must be between 0 and 100."),
        ({"last": 101}, "last must be between 0 and 100."),
        ({"first": 1, "last": 1}, "Set first or last, not both."),
    ],
)
async def test_a_window_of_no_sense_is_refused(
    database: Database, run: Run, window: dict[str, Any], message: str
) -> None:
    with statements(database, exactly=0):
        answer = await run(DREAMS, window)

    assert refusal(answer) == message


async def test_a_page_has_twenty_rows_by_default(database: Database, data: Data) -> None:
    owner = (await make_user(database)).id
    for _ in range(21):
        await make_dream(database, user_id=owner)

    answers = [await data(DREAMS, window) for window in ({}, {"first": None, "last": None})]

    assert [len(answer["page"]["nodes"]) for answer in answers] == [20, 20]


async def test_a_column_repeated_in_an_order_has_no_effect(database: Database, data: Data) -> None:
    for title in "bac":
        await make_dream(database, title=title)
    order = [{"field": "TITLE", "direction": direction} for direction in ("DESC", "ASC") * 5]

    answer = await data(
        "query ($by: [DreamOrder!]) { dreams(orderBy: $by) { nodes { title } } }", {"by": order}
    )

    assert [node["title"] for node in answer["dreams"]["nodes"]] == ["c", "b", "a"]


async def test_an_order_has_at_most_ten_terms(database: Database, run: Run) -> None:
    order = [{"field": "COST"}] * 11

    with statements(database, exactly=0):
        answer = await run(EDGES_OF_TESTS, {"orderBy": order})

    assert refusal(answer) == "At most 10 are allowed."
    assert answer.errors[0]["extensions"]["errors"] == [
        {"message": "At most 10 are allowed.", "field": ["orderBy"]}
    ]


LIMITS = {
    "agents": 500, "agentHistory": 500, "events": 500, "metrics": 1000, "aiModels": 200,
    "configs": 200, "featureFlags": 200, "dreams": 100, "aiTests": 100, "users": 100,
}  # fmt: skip


@pytest.mark.parametrize(("name", "most"), LIMITS.items())
async def test_each_noun_has_its_own_page_limit(run: Run, name: str, most: int) -> None:
    document = (
        f"query ($first: Int, $last: Int) {{ {name}(first: $first, last: $last) {{ totalCount }} }}"
    )

    assert refusal(await run(document, {"first": most})) is None
    for side in ("first", "last"):
        refused = await run(document, {side: most + 1})
        assert refusal(refused) == f"{side} must be between 0 and {most}."


async def test_a_fleet_fits_in_one_page(database: Database, data: Data) -> None:
    for number in range(143):
        await make_agent(database, agent_key=f"agent-{number}")

    found = await data("{ agents(first: 143) { nodes { key } pageInfo { hasNextPage } } }")

    assert len(found["agents"]["nodes"]) == 143
    assert not found["agents"]["pageInfo"]["hasNextPage"]
