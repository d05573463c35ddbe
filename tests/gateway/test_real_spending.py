"""Budgets, the budget rule and business figures of real tests, compared with sums of the files in
plain Python.

Needs the real evaluation data beside the project; without it the test is skipped, and says so.
"""

import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID
from zlib import crc32

import pytest
from sqlalchemy import func, update

from db import Database
from db.ai_tests import AiTest
from db.alerts import Alert, AlertRule, evaluation, previews
from db.core.query.time_range import TimeRange
from support.databases import REAL_FILES, create_database, drop_database
from support.factories import make_ai_test, make_user
from support.gateways import Send, gateway, make_key, production, signed_in

BUDGETS = (None, Decimal(5), None, Decimal(500))
MONTH = datetime(2025, 8, 1, tzinfo=UTC)
Row = dict[str, Any]
NEXT = datetime(2025, 9, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
USAGE = """{ myUsage { budget { limit spent remaining forecast isSpent }
  byModel { model testCount totalCost } byMonth { totalCost } } }"""
KPIS = """query ($from: DateTime!, $to: DateTime!) { kpis(from: $from, to: $to) {
  totals { testCount modelCount activeUsers }
  series(bucket: WEEK) { bucket testCount modelCount activeUsers } } }"""


class Test(NamedTuple):
    """Time, model and cost as they are stored."""

    __test__ = False

    at: datetime
    model: str
    cost: Decimal | None

    @property
    def user(self) -> int:
        return crc32(self.model.encode()) % len(BUDGETS)


def month_of_tests() -> list[Test]:
    found = []
    for path in REAL_FILES:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in map(json.loads, file):
                if line["kind"] == "test":
                    at = datetime.fromisoformat(line["createdAt"])
                    if MONTH <= at < NEXT:
                        found.append(Test(at, line["model"], rounded(line["cost"])))
    return sorted(found, key=lambda test: test.at)


def rounded(cost: str | None) -> Decimal | None:
    return None if cost is None else Decimal(cost).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def known(tests: Iterable[Test]) -> Decimal:
    return sum((test.cost for test in tests if test.cost is not None), Decimal(0))


async def test_figures_of_real_tests_are_those_of_the_files(
    server_url: str, imported_template_url: str
) -> None:
    url = await create_database(server_url, imported_template_url)
    database, tests = Database(url), month_of_tests()
    users = [await make_user(database, monthly_budget=budget) for budget in BUDGETS]
    async with database.write() as session:
        for number, user in enumerate(users):
            models = {test.model for test in tests if test.user == number}
            owned = update(AiTest).where(AiTest.model.in_(models)).values(user_id=user.id)
            await session.execute(owned)

    rule = await budget_rule(database)
    async with database.unrestricted().read() as session:
        span = TimeRange(MONTH, NEXT, NEXT)
        seen = await previews.preview(session, rule, span)
    expected = crossed(tests)
    assert len(tests) > 500
    assert sorted(expected) == [1, 2]
    assert {each.user_id: (each.opened_at, each.value) for each in seen.alerts} == {
        users[number].id: crossing for number, crossing in expected.items()
    }
    assert {each.closed_at for each in seen.alerts} == {NEXT}

    await store_again_now(database, tests, [user.id for user in users])
    async with database.write() as session:
        await session.execute(update(AlertRule).values(next_evaluation_at=func.now()))
    await evaluation.run_due(database)
    spent = [known(test for test in tests if test.user == number) for number in range(len(users))]
    async with database.unrestricted().read() as session:
        alerts = await session.records(Alert, Alert.select())
    assert {alert.user_id: (alert.value, alert.threshold) for alert in alerts} == {
        user.id: (spent[number], BUDGETS[number] or Decimal(50))
        for number, user in enumerate(users)
        if spent[number] > (BUDGETS[number] or 50)
    }

    settings = production()
    for number, user in enumerate(users):
        key = await make_key(database, settings, user_id=user.id)
        async with signed_in(gateway(settings, Database(url)), key.text) as send:
            mine = [test for test in tests if test.user == number]
            await check_usage(send, BUDGETS[number], mine)
    key = await make_key(database, settings, scopes=["kpis:read"])
    async with signed_in(gateway(settings, Database(url)), key.text) as send:
        await check_kpis(send, tests)
    await database.close()
    await drop_database(server_url, url)


async def budget_rule(database: Database) -> Any:
    async with database.read() as session:
        of_users = AlertRule.select().where(AlertRule.spend_of == "USER")
        [rule] = await session.records(AlertRule, of_users)
    return rule


def crossed(tests: list[Test]) -> dict[int, tuple[datetime, Decimal]]:
    """By user the minute after that in which the budget was passed, and what was spent until it."""
    sums: dict[int, Decimal] = defaultdict(Decimal)
    found: dict[int, tuple[datetime, Decimal]] = {}
    for minute, of_minute in groupby(tests, lambda test: test.at.replace(second=0, microsecond=0)):
        for test in of_minute:
            sums[test.user] += test.cost or 0
        for number, spent in sums.items():
            if spent > (BUDGETS[number] or 50):
                found.setdefault(number, (minute + MINUTE, spent))
    return found


async def store_again_now(database: Database, tests: list[Test], users: list[UUID]) -> None:
    """Store the tests as tests of this moment."""
    async with database.write() as session:
        dream = (await make_ai_test(session)).dream_id
        for test in tests:
            of = {"dream_id": dream, "user_id": users[test.user], "model": test.model}
            await make_ai_test(session, created_at=session.now(), cost=test.cost, **of)


async def check_usage(send: Send, budget: Decimal | None, tests: list[Test]) -> None:
    """What a user reads, against the tests of the present month."""
    usage, limit, spent = (await send(USAGE))["myUsage"], budget or Decimal(50), known(tests)
    now = datetime.now(UTC)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=31)).replace(day=1)
    share = (end - start) / max(now - start, timedelta(days=1))
    assert Decimal(usage["budget"]["spent"]) == spent
    assert Decimal(usage["budget"]["limit"]) == limit
    assert Decimal(usage["budget"]["remaining"]) == max(limit - spent, 0)
    assert usage["budget"]["isSpent"] == (spent >= limit)
    assert float(usage["budget"]["forecast"]) == pytest.approx(float(spent) * share, rel=1e-3)
    models = Counter(test.model for test in tests)
    assert {each["model"]: each["testCount"] for each in usage["byModel"]} == models
    assert sum(Decimal(each["totalCost"]) for each in usage["byMonth"]) == spent


def figures(tests: list[Test]) -> Row:
    return {
        "testCount": len(tests),
        "modelCount": len({test.model for test in tests}),
        "activeUsers": len({test.user for test in tests}),
    }


async def check_kpis(send: Send, tests: list[Test]) -> None:
    weeks: dict[str, list[Test]] = defaultdict(list)
    for test in tests:
        monday = test.at - timedelta(days=test.at.weekday())
        weeks[f"{monday:%Y-%m-%d}T00:00:00.000000Z"].append(test)
    span = {"from": MONTH.isoformat(), "to": NEXT.isoformat()}
    kpis = (await send(KPIS, **span))["kpis"]
    assert kpis["totals"] == figures(tests)
    assert kpis["series"] == [
        {"bucket": week, **figures(of_week)} for week, of_week in sorted(weeks.items())
    ]
