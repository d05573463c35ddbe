"""Spend: pages, groups, buckets and chosen tests, and its longest time range."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from db import Database
from graph.core.types.node import global_id
from support.factories import START, make_ai_test, make_dream, make_user, make_user_action

DAY = timedelta(days=1)
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
        page = await data(
            f"{{ spend({TIMES}, first: 2, skip: {skip}) {{ rows {{ model totalCost }} }} }}"
        )
        costs += [(row["model"], row["totalCost"]) for row in page["spend"]["rows"]]

    assert costs == [("a", "3.000000"), ("a", "2.000000"), ("b", "1.000000")]


YEARS = 'from: "2020-01-01T00:00:00Z"'
USED = "testCount totalTokens totalCost"


@pytest.mark.usefixtures("spent")
async def test_spend_of_models(data: Any) -> None:
    fields = f"bucket user {{ id }} model {USED}"
    answer = await data(f"{{ spend({YEARS}, groupBy: MODEL) {{ rows {{ {fields} }} }} }}")

    assert [tuple(row.values()) for row in answer["spend"]["rows"]] == [
        (None, None, "a", 2, "5", "5.000000"),
        (None, None, "b", 1, "1", "1.000000"),
    ]


@pytest.mark.usefixtures("spent")
async def test_spend_of_users(data: Any) -> None:
    answer = await data(
        f"{{ spend({YEARS}, groupBy: USER) {{ rows {{ user {{ email }} model {USED} }} }} }}"
    )

    assert [(row["model"], row["totalCost"]) for row in answer["spend"]["rows"]] == [
        (None, "3.000000"),
        (None, "3.000000"),
    ]
    assert None not in [row["user"] for row in answer["spend"]["rows"]]


async def test_spend_of_imported_tests_has_no_user(database: Database, data: Any) -> None:
    await make_ai_test(database, user_id=None, cost=7)
    answer = await data(
        f"{{ spend({YEARS}, groupBy: USER) {{ rows {{ user {{ id }} totalCost }} }} }}"
    )

    assert answer["spend"]["rows"] == [{"user": None, "totalCost": "7.000000"}]


@pytest.mark.usefixtures("spent")
async def test_spend_of_all_tests(data: Any) -> None:
    asked = f"{{ spend({YEARS}, groupBy: []) {{ rows {{ user {{ id }} provider {USED} }} }} }}"
    assert (await data(asked))["spend"]["rows"] == [
        {
            "user": None,
            "provider": None,
            "testCount": 3,
            "totalTokens": "6",
            "totalCost": "6.000000",
        }
    ]


async def test_no_tests_are_no_group(data: Any) -> None:
    assert (await data(f"{{ spend({YEARS}, groupBy: []) {{ rows {{ totalCost }} }} }}"))["spend"][
        "rows"
    ] == []


@pytest.mark.usefixtures("spent")
async def test_spend_by_day_and_month(database: Database, data: Any) -> None:
    dream = await make_dream(database)
    for days in (1, 40):
        at = START + timedelta(days=days)
        await make_ai_test(database, dream_id=dream.id, created_at=at, model="a", cost=10)

    for bucket, sums in (
        ("DAY", [(START, "6.000000"), (START + DAY, "10.000000"), (START + 40 * DAY, "10.000000")]),
        ("MONTH", [(START, "16.000000"), (START + 40 * DAY, "10.000000")]),
    ):
        asked = (
            f"{{ spend({YEARS}, groupBy: [], bucket: {bucket}) {{ rows {{ bucket totalCost }} }} }}"
        )
        rows = (await data(asked))["spend"]["rows"]
        format = "%Y-%m-%d" if bucket == "DAY" else "%Y-%m-01"
        assert [(row["bucket"], row["totalCost"]) for row in rows] == [
            (at.strftime(f"{format}T00:00:00.000000Z"), cost) for at, cost in sums
        ]


@pytest.mark.usefixtures("spent")
@pytest.mark.parametrize(
    ("chosen", "costs"),
    [
        ('groupBy: MODEL, models: ["b"]', ["1.000000"]),
        ("groupBy: MODEL, models: []", []),
        ('groupBy: MODEL, providers: ["nobody"]', []),
        ('groupBy: USER, models: ["a"], to: "2020-03-01T00:00:00Z"', []),
        ("groupBy: USER, userIds: []", []),
    ],
)
async def test_tests_are_chosen(data: Any, chosen: str, costs: list[str]) -> None:
    answer = await data(f"{{ spend({YEARS}, {chosen}) {{ rows {{ totalCost }} }} }}")

    assert [row["totalCost"] for row in answer["spend"]["rows"]] == costs


async def test_spend_of_one_user_by_model(database: Database, data: Any) -> None:
    dream, user = await make_dream(database), await make_user(database)
    for each, cost in ((user.id, 3), (None, 2)):
        await make_ai_test(database, dream_id=dream.id, user_id=each, created_at=START, cost=cost)
    chosen = f'userIds: ["{global_id(user)}"]'
    for times, groups in product((TIMES, YEARS), ("[USER, MODEL]", "MODEL", "USER", "[]")):
        asked = f"{{ spend({times}, groupBy: {groups}, {chosen}) {{ rows {{ totalCost }} }} }}"
        assert (await data(asked))["spend"]["rows"] == [{"totalCost": "3.000000"}]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (YEARS, "use a shorter one, or ask for models, for users by month, or for `userIds`"),
        (YEARS + ', groupBy: USER, models: ["a"]', "use a shorter one"),
        (YEARS + ", groupBy: USER, bucket: DAY", "use a shorter one"),
        ("bucket: HOUR", "The bucket must be DAY, WEEK or MONTH."),
        ('userIds: ["nobody"]', "This is not an ID of this API."),
        ("first: 1001", "1,000"),
        ("first: -1", "1,000"),
        ("skip: -1", "1,000,000"),
    ],
)
async def test_arguments_have_bounds(run: Any, arguments: str, message: str) -> None:
    answer = await run(f"{{ spend({arguments}) {{ rows {{ model }} }} }}")

    assert message in str(answer.errors[0])


async def test_users_of_actions_are_counted_in_a_bounded_time(database: Database, run: Any) -> None:
    await make_user_action(database, timestamp=START)
    asked = '{ userActionCounts(from: "2020-01-01T00:00:00Z") { rows { % } } }'
    counted = await run(asked.replace("%", "count"))
    refused = await run(asked.replace("%", "count userCount"))

    assert counted.data["userActionCounts"]["rows"] == [{"count": "1"}]
    assert refused.errors[0]["message"] == (
        "The time range is longer than 92 days; use a shorter one, or do not select `userCount`."
    )
