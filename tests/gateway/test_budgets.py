"""Budgets: own spend, the forecast, and new tests once a budget is spent."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Numeric, Text, cast, func, select, text, update

from db import Database, rollups
from db.ai_tests import AiTest, schedules
from db.budgets import Month, notices
from db.notifications import Notification
from graph.core.types.node import global_id
from support.databases import create_database, drop_database
from support.factories import (
    make_ai_test,
    make_config_entry,
    make_dream,
    make_user,
    monday_schedule,
)
from support.gateways import gateway, make_key, production, signed_in
from support.graphql_client import Endpoint

DAY = timedelta(days=1)
USAGE = """{
  myUsage(from: "2026-01-01T00:00:00Z", to: "2026-03-01T00:00:00Z") {
    byModel { provider model testCount totalTokens totalCost }
    byDay { bucket testCount totalCost }
    byMonth { bucket testCount totalCost }
  }
}"""
BUDGET = "{ myUsage { budget { month limit spent remaining isSpent forecast } } }"
RECORD = """mutation ($input: RecordAiTestInput!) {
  recordAiTest(input: $input) { aiTest { id } errors { code message } }
}"""
RECORD_ALL = """mutation ($input: RecordAiTestsInput!) {
  recordAiTests(input: $input) { storedCount refused { index errors { code } } }
}"""
START = """mutation ($input: StartAiTestInput!) {
  startAiTest(input: $input) { aiTest { id } errors { code } }
}"""
COMPLETE = """mutation ($input: CompleteAiTestInput!) {
  completeAiTest(input: $input) { aiTest { cost } errors { code } }
}"""
Set = Callable[..., Awaitable[None]]


@pytest.fixture
def configured(database: Database) -> Set:
    """`await configured(budgets.exceeded="REFUSE")`: settings."""

    async def configured(**settings: object) -> None:
        for key, value in settings.items():
            await make_config_entry(database, key=f"budgets.{key}", value=value)

    return configured


def a_test(dream: Any, cost: str, **more: Any) -> dict[str, Any]:
    return {"dreamId": global_id(dream), "provider": "a", "model": "m", "cost": cost, **more}


async def test_own_usage_by_model_day_and_month(database: Database) -> None:
    settings, users = production(), [await make_user(database) for _ in range(2)]
    key = await make_key(database, settings, user_id=users[0].id)
    dream = await make_dream(database, user_id=users[1].id, is_public=False)  # hidden by now
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for user, later, model, cost in (
        (0, 0, "a", 3),
        (0, 0, "b", 1),
        (0, 1, "a", 2),
        (1, 0, "a", 9),
    ):
        row = {"user_id": users[user].id, "model": model, "cost": cost, "tokens_used": cost}
        await make_ai_test(database, dream_id=dream.id, created_at=at + later * DAY, **row)

    async with signed_in(gateway(settings, database), key.text) as send:
        from_rows = await send(USAGE)
        await rollups.roll(database)
        from_sums = await send(USAGE)

    assert from_rows == from_sums
    assert from_sums["myUsage"] == {
        "byModel": [
            used({"provider": "openai", "model": "a"}, 2, 5, totalTokens="5"),
            used({"provider": "openai", "model": "b"}, 1, 1, totalTokens="1"),
        ],
        "byDay": [used({"bucket": day(1, 31)}, 2, 4), used({"bucket": day(2, 1)}, 1, 2)],
        "byMonth": [used({"bucket": day(1, 1)}, 2, 4), used({"bucket": day(2, 1)}, 1, 2)],
    }


def used(of: dict[str, str], count: int, cost: int, **more: str) -> dict[str, Any]:
    return {**of, "testCount": count, **more, "totalCost": f"{cost}.000000"}


def day(month: int, day: int) -> str:
    return f"2026-{month:02}-{day:02}T00:00:00.000000Z"


async def test_a_budget_is_that_of_the_user_or_the_setting(
    endpoint: Endpoint, database: Database, configured: Set
) -> None:
    before = (await endpoint.data(BUDGET))["myUsage"]["budget"]
    await configured(user_monthly_usd=20)
    setting = (await endpoint.data(BUDGET))["myUsage"]["budget"]
    own = {"id": global_id(endpoint.user), "monthlyBudget": "0"}
    changed = await endpoint.mutate("setMonthlyBudget", own, "user { monthlyBudget }")
    spent = (await endpoint.data(BUDGET))["myUsage"]["budget"]
    await endpoint.mutate("setMonthlyBudget", own | {"monthlyBudget": None}, "user { id }")
    after = (await endpoint.data(BUDGET))["myUsage"]["budget"]

    assert [Decimal(each["limit"]) for each in (before, setting, spent, after)] == [50, 20, 0, 20]
    assert [each["isSpent"] for each in (before, spent)] == [False, True]
    assert Decimal(changed["monthlyBudget"]) == 0
    refused = await endpoint.mutate(
        "setMonthlyBudget", own | {"monthlyBudget": "-1"}, "user { id }"
    )
    assert refused["code"] == "INVALID"


async def test_a_budget_that_was_changed_meanwhile_is_a_conflict(endpoint: Endpoint) -> None:
    own = {"id": global_id(endpoint.user)}
    first = own | {"monthlyBudget": "0", "expectedMonthlyBudget": None}
    await endpoint.mutate("setMonthlyBudget", first, "user { id }")
    refused = await endpoint.mutate("setMonthlyBudget", first, "user { id }")
    second = own | {"monthlyBudget": None, "expectedMonthlyBudget": "0.00"}
    changed = await endpoint.mutate("setMonthlyBudget", second, "user { monthlyBudget }")

    assert (refused["code"], changed["monthlyBudget"]) == ("CONFLICT", None)


@pytest.mark.parametrize(
    ("now", "forecast"),
    [
        (datetime(2026, 4, 16, tzinfo=UTC), "20.000000"),  # half of 30 days
        (datetime(2026, 4, 1, 1, tzinfo=UTC), "300.000000"),  # one day at least
        (datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC), "10.000004"),
    ],
)
def test_a_forecast_goes_on_at_the_mean_rate(now: datetime, forecast: str) -> None:
    assert f"{Month(now).forecast(Decimal(10)):f}" == forecast


async def test_a_spent_budget_refuses_new_tests_if_set(database: Database, configured: Set) -> None:
    settings, user = production(), await make_user(database, monthly_budget=10)
    dream = await make_dream(database, user_id=user.id)
    key = await make_key(database, settings, user_id=user.id)
    past = {"at": "2026-01-01T00:00:00Z"}
    async with signed_in(gateway(settings, database), key.text) as send:
        running = (await send(START, input=started(dream)))["startAiTest"]["aiTest"]["id"]
        await send(RECORD, input=a_test(dream, "11"))
        warned = await send(RECORD, input=a_test(dream, "1"))
        await configured(exceeded="REFUSE")
        recorded = await send(RECORD, input=a_test(dream, "1"))
        begun = await send(START, input=started(dream))
        items = [a_test(dream, "1"), a_test(dream, "1", **past)]
        batch = await send(RECORD_ALL, input={"tests": items})
        ended = await send(COMPLETE, input={"id": running, "cost": "5"})
        budget = (await send(BUDGET))["myUsage"]["budget"]

    assert warned["recordAiTest"]["errors"] == []
    [error] = recorded["recordAiTest"]["errors"]
    assert error["code"] == "BUDGET_EXCEEDED"
    assert error["message"].startswith("Your budget of 10.000000 US dollars for ")
    assert begun["startAiTest"] == {"aiTest": None, "errors": [{"code": "BUDGET_EXCEEDED"}]}
    assert batch["recordAiTests"] == {
        "storedCount": 1,
        "refused": [{"index": 0, "errors": [{"code": "BUDGET_EXCEEDED"}]}],
    }
    assert ended["completeAiTest"] == {"aiTest": {"cost": "5.000000"}, "errors": []}
    assert [budget["spent"], budget["remaining"]] == ["17.000000", "0.000000"]


def started(dream: Any) -> dict[str, Any]:
    return {"dreamId": global_id(dream), "provider": "a", "model": "m"}


async def test_a_batch_is_refused_from_the_test_on_that_finds_the_budget_spent(
    database: Database, configured: Set
) -> None:
    await configured(exceeded="REFUSE")
    settings, user = production(), await make_user(database, monthly_budget=10)
    dream = await make_dream(database, user_id=user.id)
    key = await make_key(database, settings, user_id=user.id)
    async with signed_in(gateway(settings, database), key.text) as send:
        items = [a_test(dream, cost) for cost in ("4", "4", "4", "4", "0")]
        batch = await send(RECORD_ALL, input={"tests": items})

    assert batch["recordAiTests"]["storedCount"] == 3
    assert [each["index"] for each in batch["recordAiTests"]["refused"]] == [3, 4]


async def test_concurrent_tests_pass_a_budget_once(database: Database, configured: Set) -> None:
    await configured(exceeded="REFUSE")
    settings, user = production(), await make_user(database, monthly_budget=25)
    dreams = [await make_dream(database, user_id=user.id) for _ in range(8)]
    key = await make_key(database, settings, user_id=user.id)
    async with signed_in(gateway(settings, database), key.text) as send:
        sent = [send(RECORD, input=a_test(dream, "10")) for dream in dreams]
        answers = await asyncio.gather(*sent)

    refused = [answer["recordAiTest"]["errors"] for answer in answers]
    assert sorted(len(errors) for errors in refused) == [0, 0, 0, 1, 1, 1, 1, 1]


async def test_the_overall_budget_is_of_all_users(endpoint: Endpoint, configured: Set) -> None:
    asked = "{ overallBudget { limit spent isSpent } }"
    assert Decimal((await endpoint.data(asked))["overallBudget"]["limit"]) == 1_000_000_000
    dream = await endpoint.mutate("createDream", {"title": "Fly"}, "dream { id }")
    test = {"dreamId": dream["id"], "provider": "a", "model": "m", "cost": "5"}
    await endpoint.mutate("recordAiTest", test, "aiTest { id }")
    await configured(exceeded="REFUSE", monthly_usd=5)
    refused = await endpoint.mutate("recordAiTest", test, "aiTest { id }")

    assert refused["code"] == "BUDGET_EXCEEDED"
    spent = (await endpoint.data(asked))["overallBudget"]
    assert [Decimal(spent["limit"]), Decimal(spent["spent"]), spent["isSpent"]] == [5, 5, True]


async def test_only_known_words_say_what_happens(endpoint: Endpoint) -> None:
    config = {"key": "budgets.exceeded", "value": "STOP"}
    assert (await endpoint.mutate("setConfig", config, "configEntry { value }"))[
        "code"
    ] == "INVALID"


async def test_each_share_of_a_budget_is_notified_of_once(
    database: Database, configured: Set
) -> None:
    await configured(monthly_usd=100)
    admin = await make_user(database, role="ADMIN")
    user = await make_user(database, monthly_budget=10)
    others = await make_user(database)
    now = await database.now()
    await make_ai_test(database, user_id=user.id, created_at=now, cost=8)
    await make_ai_test(database, user_id=others.id, created_at=now, cost=1)
    processes = [notices.notify(database) for _ in range(3)]
    assert sum(await asyncio.gather(*processes)) == 1
    await make_ai_test(database, user_id=user.id, created_at=now, cost=92)
    assert sum([await notices.notify(database) for _ in range(2)]) == 2

    async with database.read() as session:
        sent = await session.records(Notification, Notification.select().order_by(Notification.id))
    shown = [(each.user_id, each.kind, each.payload["percent"]) for each in sent]
    assert sorted(shown, key=str) == sorted(
        [
            (user.id, "BUDGET_REACHED", 80),
            (user.id, "BUDGET_REACHED", 100),
            (admin.id, "BUDGET_REACHED", 100),
        ],
        key=str,
    )


async def test_usage_of_real_tests_is_that_of_their_rows(
    server_url: str, imported_template_url: str
) -> None:
    url = await create_database(server_url, imported_template_url)
    database = Database(url)
    user = await make_user(database)
    async with database.write() as session:
        costs = func.mod(func.abs(func.hashtext(cast(AiTest.id, Text))), 1000)
        values = {"user_id": user.id, "cost": cast(costs, Numeric) / 1000, "tokens_used": costs}
        every_tenth = func.mod(costs, 10) == 0
        await session.execute(update(AiTest).values(values).where(every_tenth))
    await rollups.roll(database)
    async with database.read() as session:
        tests = await session.rows(
            select(AiTest.provider, AiTest.model, AiTest.created_at, AiTest.cost).where(
                AiTest.user_id == user.id
            )
        )
    by_model: dict[Any, Decimal] = defaultdict(Decimal)
    by_day: dict[Any, Decimal] = defaultdict(Decimal)
    for test in tests:
        by_model[test.provider, test.model] += test.cost
        by_day[test.created_at.strftime("%Y-%m-%d")] += test.cost

    settings = production()
    key = await make_key(database, settings, user_id=user.id)
    async with signed_in(gateway(settings, database), key.text) as send:
        seen = (
            await send(
                """{ myUsage(from: "1970-01-01T00:00:00Z") {
                  byModel { provider model totalCost } byDay { bucket totalCost } } }"""
            )
        )["myUsage"]
    assert len(tests) > 1_000
    assert {
        (m["provider"], m["model"]): Decimal(m["totalCost"]) for m in seen["byModel"]
    } == by_model
    assert {d["bucket"][:10]: Decimal(d["totalCost"]) for d in seen["byDay"]} == by_day
    await drop_database(server_url, url)


async def test_a_spent_budget_does_not_hold_up_schedules(
    database: Database, configured: Set
) -> None:
    await configured(exceeded="REFUSE")
    spent = await make_user(database, monthly_budget=0)
    for owner in (spent, await make_user(database)):
        schedule = await monday_schedule(database, owner.id)
        async with database.write() as session:
            due = {"next_run_at": func.now() - text("interval '1 minute'")}
            await session.execute(
                update(schedules.AiTestSchedule)
                .where(schedules.AiTestSchedule.id == schedule.id)
                .values(due)
            )
    assert await schedules.run_due(database) == 1
    assert await schedules.run_due(database) == 0
