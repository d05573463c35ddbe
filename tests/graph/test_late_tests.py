"""A late test corrects the logs after it: some with itself, and the others soon afterwards, step by
step, whatever happens to the process that does so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select, text

from db import Database, WriteSession
from db.ai_tests import AiTest, AiTestStatus, writes
from db.ai_tests.batch import locked_dreams
from db.audit import Change
from db.core.errors import Unavailable
from db.core.session.row_rules import without_row_rules
from db.progress import ProgressLog, pending
from db.progress.batch import AT_ONCE
from db.progress.pending import LOCK, LOGS, PendingReplay
from gateway import maintenance
from support.ai_tests import as_imported
from support.gateways import production
from support.many_tests import READ, STEP, UNTIL, dream_with_tests
from support.mutations import stored
from support.query_count import statements
from support.wait import until

TESTS = 2_100  # of the dream
COUNT = 2 * LOGS + AT_ONCE  # tests after the late one: two steps and a rest


@pytest.fixture
async def dream(database: Database) -> Any:
    return await dream_with_tests(database, TESTS)


async def record(session: WriteSession, dream: Any, later: int) -> Any:
    """A test older than so many others."""
    at = UNTIL - STEP * (later - 0.5)
    locked = (await locked_dreams(session, [dream.id]))[dream.id]
    of = {"provider": "openai", "model": "model-7", "impossibility_score": Decimal(50)}
    return await writes.record(session, locked, None, AiTestStatus.COMPLETED, at, **of)


async def recorded(database: Database, dream: Any, later: int) -> Any:
    async with database.write() as session:
        return await record(session, dream, later)


async def changes(database: Database) -> list[tuple[Any, str]]:
    """Those of logs, in order."""
    return [
        (change.entity_id, change.kind)
        for change in await stored(database, Change)
        if change.noun == ProgressLog.__tablename__
    ]


async def test_later_logs_are_corrected_step_by_step_and_announced(
    database: Database, dream: Any
) -> None:
    late = await recorded(database, dream, COUNT)

    logs = {log.id: log.test_count for log in await stored(database, ProgressLog)}
    after = sorted(id for id in logs if id > late.id)
    assert logs[late.id] == TESTS - COUNT + 1
    assert logs[after[-1]] == TESTS + 1
    assert logs[after[-2]] == TESTS - 1  # soon one more
    at_once = [*after[:AT_ONCE], after[-1]]
    known = [(late.id, "CREATED"), *((id, "UPDATED") for id in at_once)]
    assert await changes(database) == known

    corrected = [await pending.correct_some(database) for _ in range(3)]
    assert corrected == [LOGS, LOGS - 1, None]
    assert await changes(database) == known + [(id, "UPDATED") for id in after[AT_ONCE:-1]]
    assert await stored(database, PendingReplay) == []
    assert await as_imported(database, dream)


async def cost(database: Database, dream: Any, later: int) -> tuple[int, int]:
    """The rows that a late test reads, and its statements."""
    async with database.write() as session:
        for way in ("seqscan", "bitmapscan"):  # ways through small tables
            await session.execute(text(f"set local enable_{way} = off"))
        before = await session.scalar(READ)
        with statements(database) as seen:
            await record(session, dream, later)
        read = int(await session.scalar(READ) - before)
    await pending.work_off(database)
    return read, len(seen)


async def test_a_late_test_costs_the_same_whatever_the_number_of_later_ones(
    database: Database, dream: Any
) -> None:
    await recorded(database, dream, 0)  # sums the scores of its models up
    async with database.write() as session:
        await session.execute(text("analyze"))

    some, many = [await cost(database, dream, later) for later in (100, 2_000)]

    assert some[0] == pytest.approx(many[0], abs=5)
    assert some[1] == many[1]


@asynccontextmanager
async def holding_up(database: Database) -> AsyncIterator[None]:
    """Within the context, a step waits when it stores its changes."""
    async with database.write() as session:
        await session.execute(text("lock table pending_changes in exclusive mode"))
        yield


KILL = text("""
    select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and query ilike 'insert into pending_changes%'
      and wait_event_type = 'Lock'
""")


async def test_a_killed_step_leaves_nothing_behind_and_is_repeated(
    database: Database, dream: Any
) -> None:
    late = await recorded(database, dream, COUNT)
    logs, known = await stored(database, ProgressLog), await changes(database)

    async def is_killed() -> bool:
        async with database.read() as session:
            return bool(await session.rows(without_row_rules(KILL)))

    async with holding_up(database):
        step = asyncio.create_task(pending.work_off(database))
        await until(is_killed)
        with pytest.raises(Unavailable):
            await step

    assert await stored(database, ProgressLog) == logs
    assert await changes(database) == known
    await pending.work_off(database)
    assert await as_imported(database, dream)
    corrected = [id for id, kind in await changes(database) if kind == "UPDATED"]
    assert sorted(corrected) == [log.id for log in logs if log.id > late.id]  # once each


async def test_one_process_at_a_time_corrects_logs(database: Database, dream: Any) -> None:
    await recorded(database, dream, COUNT)
    async with database.write() as other:
        await other.execute(without_row_rules(select(func.pg_advisory_xact_lock(LOCK))))
        assert await pending.work_off(database) == 0
    assert await pending.work_off(database) == COUNT - AT_ONCE - 1


async def test_an_older_test_takes_the_correction_back(database: Database, dream: Any) -> None:
    await recorded(database, dream, COUNT)
    await pending.correct_some(database)
    older = await recorded(database, dream, COUNT + 2 * AT_ONCE)
    newer = await recorded(database, dream, 3)

    [waiting] = await stored(database, PendingReplay)
    assert older.id < waiting.since < newer.id
    await pending.work_off(database)
    assert await as_imported(database, dream)


async def test_tests_are_recorded_while_logs_are_corrected(
    database: Database, dream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pending, "LOGS", 50)
    later = [COUNT, 0, COUNT + 300, 7, 500, 0, 200, COUNT - 300]

    async def keep_correcting() -> None:
        while len(await stored(database, AiTest)) < TESTS + len(later):
            await pending.work_off(database)

    await asyncio.gather(
        keep_correcting(), keep_correcting(), *(recorded(database, dream, n) for n in later)
    )
    await pending.work_off(database)
    assert await as_imported(database, dream)


async def test_the_running_gateway_corrects_logs(
    database: Database, dream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await recorded(database, dream, COUNT)

    async def is_corrected() -> bool:
        return not (await pending.waiting(database)).dreams

    monkeypatch.setattr(maintenance, "LOOK_SECONDS", 0.05)
    async with maintenance.run_maintenance(database, production()):
        await until(is_corrected)
    assert await as_imported(database, dream)


async def test_a_deleted_dream_waits_for_nothing(database: Database, dream: Any) -> None:
    await recorded(database, dream, COUNT)
    async with database.write() as session:
        await session.execute(text("delete from dreams"))
    assert await pending.work_off(database) == 0
    assert await pending.waiting(database) == pending.Waiting(0, 0)
