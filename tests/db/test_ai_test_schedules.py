"""Schedules of tests: each run once, by one process, and in whole."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, update

import db
from db import Database
from db.ai_tests import AiTest, schedules
from db.ai_tests.queue import QueuedAiTest
from db.ai_tests.schedules import AiTestSchedule, Model
from db.audit import AuditEntry
from db.core.errors import Invalid
from db.users import User
from support.factories import make_dream, make_user
from support.mutations import stored

MODELS = [Model("openai", "gpt"), Model("anthropic", "claude")]
SUNDAY = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def make(database: Database, dream: Any, cron: str = "0 6 * * MON", **more: Any) -> Any:
    async with database.write() as session:
        return await schedules.create(
            session, dream, dream.user_id, cron, more.pop("models", MODELS), **more
        )


async def make_due(database: Database) -> None:
    async with database.write() as session:
        ago = func.now() - timedelta(days=20)
        await session.execute(update(AiTestSchedule).values(next_run_at=ago))


async def waiting(database: Database) -> list[tuple[str, str]]:
    return [(entry.provider, entry.model) for entry in await stored(database, QueuedAiTest)]


@pytest.mark.parametrize(
    ("cron", "day"),
    [("0 6 * * MON", datetime(2026, 3, 2, 6, tzinfo=UTC)), ("30 0 29 2 *", None)],
)
def test_times_are_those_of_cron_in_utc(cron: str, day: datetime | None) -> None:
    expected = day or datetime(2028, 2, 29, 0, 30, tzinfo=UTC)
    assert schedules.next_time(cron, SUNDAY) == expected


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("every week", schedules.NO_CRON),
        ("0 6 * * FUNDAY", schedules.NO_CRON),
        ("0 0 6 * * MON", schedules.NO_CRON),
        ("* * * * *", schedules.OFTEN),
        ("*/5 6 * * *", schedules.OFTEN),
        ("0 0 31 2 *", schedules.NO_CRON),
        ("0" * 5_000, schedules.NO_CRON),
    ],
)
async def test_other_expressions_are_refused(database: Database, cron: str, message: str) -> None:
    with pytest.raises(Invalid) as refused:
        await make(database, await make_dream(database), cron)
    assert [(error.field, error.message) for error in refused.value.errors] == [("cron", message)]


@pytest.mark.parametrize("models", [[], [MODELS[0], MODELS[0]]])
async def test_models_are_given_once(database: Database, models: Any) -> None:
    with pytest.raises(Invalid) as refused:
        await make(database, await make_dream(database), models=models)
    assert [error.field for error in refused.value.errors] == ["models"]


async def test_a_run_is_done_once(database: Database, others: list[Database]) -> None:
    dream = await make_dream(database)
    schedule = await make(database, dream, test_parameters={"n": 1}, max_attempts=5)
    assert await schedules.run_due(database) == 0
    await make_due(database)

    made = await asyncio.gather(*map(schedules.run_due, [database, *others]))

    assert sum(made) == 2
    tests = await stored(database, AiTest)
    shown = [(t.dream_id, t.user_id, t.status, t.test_parameters) for t in tests]
    assert shown == [(dream.id, dream.user_id, "PENDING", {"n": 1})] * 2
    entries = await stored(database, QueuedAiTest)
    assert [(e.provider, e.model, e.max_attempts, e.schedule_id) for e in entries] == [
        (*model, 5, schedule.id) for model in MODELS
    ]
    [after] = await stored(database, AiTestSchedule)
    assert after.last_run_at < after.next_run_at
    assert after.next_run_at - after.last_run_at <= timedelta(days=7)  # missed ones are left out
    operations = {e.operation for e in await stored(database, AuditEntry) if e.entity == "ai_tests"}
    assert operations == {"ai_test_schedule"}


async def test_tests_do_not_pile_up(database: Database) -> None:
    await make(database, await make_dream(database))
    await make_due(database)
    await schedules.run_due(database)
    await make_due(database)
    async with database.write() as session:
        claude = QueuedAiTest.model == "claude"
        await session.execute(QueuedAiTest.__table__.delete().where(claude))

    assert await schedules.run_due(database) == 1
    assert sorted(await waiting(database)) == sorted(MODELS)


async def disabled(database: Database, dream: Any) -> None:
    async with database.write() as session:
        await session.execute(update(User).values(disabled_at=func.now()))


async def archived(database: Database, dream: Any) -> None:
    async with database.write() as session:
        await db.dreams.edit(session, dream, status="ARCHIVED")


@pytest.mark.parametrize("stop", [disabled, archived])
async def test_some_dreams_are_left_out(database: Database, stop: Any) -> None:
    """Those of users who were disabled, and archived ones."""
    dream = await make_dream(database, user_id=(await make_user(database)).id)
    await make(database, dream)
    await stop(database, dream)
    await make_due(database)

    assert await schedules.run_due(database) == 0
    assert await waiting(database) == []
    [after] = await stored(database, AiTestSchedule)
    assert after.next_run_at > after.last_run_at


async def test_a_paused_schedule_resumes_from_now(database: Database) -> None:
    schedule = await make(database, await make_dream(database))
    async with database.write() as session:
        await schedules.set_active(session, schedule, False)
    await make_due(database)
    assert await schedules.run_due(database) == 0

    async with database.write() as session:
        [paused] = await session.records(AiTestSchedule, AiTestSchedule.select())
        resumed = await schedules.set_active(session, paused, True)
        assert resumed.next_run_at > session.now()
    assert await schedules.run_due(database) == 0
