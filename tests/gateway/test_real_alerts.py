"""The budget rule on real tests, compared with sums of the files in plain Python.

Needs the real evaluation data beside the project; without it the test is skipped, and says so.
"""

import gzip
import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zlib import crc32

from sqlalchemy import func, update

from db import Database
from db.ai_tests import AiTest
from db.alerts import Alert, AlertRule, evaluation, previews
from db.core.query.time_range import TimeRange
from support.databases import REAL_FILES, create_database, drop_database
from support.factories import make_ai_test, make_user

BUDGETS = (None, Decimal(5), None, Decimal(500))
MONTH = datetime(2025, 8, 1, tzinfo=UTC)
NEXT = datetime(2025, 9, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
Test = tuple[datetime, str, Decimal]


def month_of_tests() -> list[Test]:
    """Time, model and cost as they are stored, in the order of time."""
    found = []
    for path in REAL_FILES:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            for line in map(json.loads, file):
                if line["kind"] == "test" and line["cost"] is not None:
                    at = datetime.fromisoformat(line["createdAt"])
                    cost = Decimal(line["cost"]).quantize(Decimal("0.000001"), ROUND_HALF_UP)
                    if MONTH <= at < NEXT:
                        found.append((at, line["model"], cost))
    return sorted(found)


def number_of(model: str) -> int:
    return crc32(model.encode()) % len(BUDGETS)


async def test_the_budget_rule_fires_for_users_who_spent_more(
    server_url: str, imported_template_url: str
) -> None:
    url = await create_database(server_url, imported_template_url)
    database, tests = Database(url), month_of_tests()
    users = [await make_user(database, monthly_budget=budget) for budget in BUDGETS]
    async with database.write() as session:
        for number, user in enumerate(users):
            models = {model for _, model, _ in tests if number_of(model) == number}
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

    spent = await spent_again_now(database, tests, [user.id for user in users])
    async with database.write() as session:
        await session.execute(update(AlertRule).values(next_evaluation_at=func.now()))
    await evaluation.run_due(database)
    async with database.unrestricted().read() as session:
        alerts = await session.records(Alert, Alert.select())
    assert {alert.user_id: (alert.value, alert.threshold) for alert in alerts} == {
        user.id: (spent[number], BUDGETS[number] or Decimal(50))
        for number, user in enumerate(users)
        if spent[number] > (BUDGETS[number] or 50)
    }
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
    by_minute: dict[datetime, list[Test]] = defaultdict(list)
    for test in tests:
        by_minute[test[0].replace(second=0, microsecond=0) + MINUTE].append(test)
    found: dict[int, tuple[datetime, Decimal]] = {}
    for at, of_minute in sorted(by_minute.items()):
        for _, model, cost in of_minute:
            sums[number_of(model)] += cost
        for number, spent in sums.items():
            if spent > (BUDGETS[number] or 50):
                found.setdefault(number, (at, spent))
    return found


async def spent_again_now(
    database: Database, tests: list[Test], users: list[UUID]
) -> dict[int, Decimal]:
    """Store the tests as tests of this moment, and return what each user spent by that."""
    spent: dict[int, Decimal] = defaultdict(Decimal)
    async with database.write() as session:
        dream = (await make_ai_test(session)).dream_id
        for _, model, cost in tests:
            number = number_of(model)
            spent[number] += cost
            of = {"dream_id": dream, "user_id": users[number], "model": model, "cost": cost}
            await make_ai_test(session, created_at=session.now(), **of)
    return spent
