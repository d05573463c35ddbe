"""Spend: pages, by user or by model, and its longest time range."""

from typing import Any

import pytest

from db import Database
from support.factories import START, make_ai_test, make_dream, make_user

TIMES = 'from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"'


@pytest.fixture
async def spent(database: Database) -> None:
    """Two users spent 3 and 2 dollars with one model, and 1 with another."""
    dream, users = await make_dream(database), [await make_user(database) for _ in range(2)]
    for user, model, cost in ((0, "a", 3), (1, "a", 2), (1, "b", 1)):
        row = {"user_id": users[user].id, "model": model, "cost": cost, "tokens_used": cost}
        await make_ai_test(database, dream_id=dream.id, created_at=START, **row)


@pytest.mark.usefixtures("spent")
async def test_pages_follow_one_another(data: Any) -> None:
    costs = []
    for skip in range(0, 4, 2):
        page = await data(f"{{ spend({TIMES}, first: 2, skip: {skip}) {{ model totalCost }} }}")
        costs += [(row["model"], row["totalCost"]) for row in page["spend"]]

    assert costs == [("a", "3.000000"), ("a", "2.000000"), ("b", "1.000000")]


@pytest.mark.usefixtures("spent")
async def test_spend_of_models(data: Any) -> None:
    fields = "user { id } model testCount totalTokens totalCost"
    answer = await data(f'{{ spend(from: "2020-01-01T00:00:00Z", byUser: false) {{ {fields} }} }}')

    assert [tuple(row.values()) for row in answer["spend"]] == [
        (None, "a", 2, "5", "5.000000"),
        (None, "b", 1, "1", "1.000000"),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ('from: "2020-01-01T00:00:00Z"', "use a shorter one, or set `byUser` to false"),
        ("first: 1001", "1,000"),
        ("first: -1", "1,000"),
        ("skip: -1", "1,000,000"),
    ],
)
async def test_arguments_have_bounds(run: Any, arguments: str, message: str) -> None:
    answer = await run(f"{{ spend({arguments}) {{ model }} }}")

    assert message in answer.errors[0]["message"]


@pytest.mark.parametrize(
    "field",
    [
        "agentActivity(from: %) { agentKey }",
        "userActionCounts(from: %) { action }",
    ],
)
async def test_sums_of_rows_have_a_longest_time_range(run: Any, field: str) -> None:
    answer = await run("{" + field.replace("%", '"2020-01-01T00:00:00Z"') + "}")

    assert answer.errors[0]["message"] == (
        "The time range is longer than 92 days; use a shorter one."
    )
