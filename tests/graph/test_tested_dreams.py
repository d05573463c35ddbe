"""The number of tested dreams is that of the tests, with and without scores, logs and expiry."""

from datetime import timedelta
from typing import Any

from db import Database, retention
from graph.core.principal import Principal
from support.ai_tests import recorded, score
from support.factories import make_ai_test, make_dream
from support.mutations import Run, outcome
from support.tested_dreams import assert_counted

OF_TEST = "aiTest { status }"


async def record(run: Run, who: Principal, dream: Any, at: Any, **values: Any) -> None:
    test = recorded(dream, at=at.isoformat(), **values)
    await outcome(run, "recordAiTest", test, who, OF_TEST)


async def test_dreams_are_counted_after_expiry(
    run: Run, database: Database, ada: Principal
) -> None:
    now = await database.now()
    owned = {"user_id": ada.user_id, "status": "ACTIVE"}
    for number, days in enumerate(((800,), (800, 30), (30,), (50, 10), (5,), (100,), ())):
        category = ("MATH", "CODING")[number % 2]
        dream = await make_dream(database, category=category, **owned)
        for ago in days:
            await record(run, ada, dream, now - timedelta(days=ago), **score(50))
    for days in (3, 60):
        dream = await make_dream(database, category="VISION", **owned)
        await record(run, ada, dream, now - timedelta(days=days))  # without a score
    await assert_counted(database, now)

    await retention.expire(database, {"tests": timedelta(days=365)})
    await assert_counted(database, now)

    await retention.expire(database, {"progress": timedelta(days=40)})
    await assert_counted(database, now)


async def test_tests_without_logs_are_counted(database: Database) -> None:
    now = await database.now()
    dream = await make_dream(database, status="ACTIVE")
    await make_ai_test(database, dream_id=dream.id, created_at=now - timedelta(days=2))

    await assert_counted(database, now)
