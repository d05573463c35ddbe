"""Retention: expired rows are deleted, and readers behind them are reset."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text, update

from db import Database, feeds
from db.agents import AgentReport
from db.audit import Change
from db.core.feed import FeedState, InvalidReason, Position, Reader
from db.core.schema import expiry, months
from db.events import Event
from db.feeds import AGENTS, EVENTS
from support.factories import make_agent_report, make_event
from support.feeds import positions
from support.stored_rows import execute, seqs
from support.wait import until

LONG_AGO = datetime(2020, 5, 17, tzinfo=UTC)


async def test_expired_months_are_dropped_and_late_readers_reset(database: Database) -> None:
    old = [await make_agent_report(database, reported_at=LONG_AGO) for _ in range(2)]
    new = await make_agent_report(database, reported_at=datetime.now(UTC))
    reader = Reader(AGENTS, database)
    async with reader.following():
        last = reader.position
        before = Position("agents", last.epoch, old[0].seq, AGENTS.check(old[0]))
        assert await feeds.expire(database, {"agents": timedelta(days=365)}) == {"agents": 1}
        assert await reader.check_position(before) == InvalidReason.EXPIRED
        assert await reader.check_position(last) is None
        assert await seqs(database, AgentReport) == [new.seq]
        assert await feeds.expire(database, {"agents": timedelta(days=365)}) == {"agents": 0}
        again = await make_agent_report(database, reported_at=LONG_AGO)
        await until(lambda: reader.position.seq == again.seq)
        assert reader.generation == 0
    await reader.close()


async def test_nothing_goes_that_is_to_be_kept(database: Database) -> None:
    await make_event(database, timestamp=LONG_AGO)
    assert await feeds.expire(database, {}) == {}
    assert await feeds.expire(database, {"events": datetime.now(UTC) - LONG_AGO}) == {"events": 0}
    assert len(await seqs(database, Event)) == 1


async def test_a_month_that_was_half_taken_out_goes_and_one_that_somebody_kept_stays(
    database: Database,
) -> None:
    for month in (1, 2, 3):
        await make_event(database, timestamp=LONG_AGO.replace(month=month))
    detached, kept = "system_events_y2020m01", "system_events_y2020m02"
    await execute(database, text(f"alter table system_events detach partition {kept}"))
    await execute(database, text(f"alter table system_events detach partition {detached}"))
    await execute(database, text(f"comment on table {detached} is '{months.EXPIRED}'"))
    assert await feeds.expire(database, {"events": timedelta(days=365)}) == {"events": 2}
    there = text("select to_regclass('system_events_y2020m02') is not null")
    async with database.read() as session:
        assert await session.scalar(there)
        assert await session.scalar(text("select count(*) from system_events_y2020m02")) == 1


async def test_rows_that_came_while_their_month_went_make_another_history(
    database: Database,
) -> None:
    seen = await make_event(database, timestamp=LONG_AGO)
    [position] = await positions(database, seen)
    month = "system_events_y2020m05"
    await execute(database, update(FeedState).values(min_seq=seen.seq + 1))
    await execute(database, text(f"comment on table {month} is '{months.EXPIRED}'"))
    await make_event(database, timestamp=LONG_AGO)
    await execute(database, text(f"alter table system_events detach partition {month}"))
    assert await feeds.expire(database, {"events": timedelta(days=365)}) == {"events": 1}
    assert await Reader(EVENTS, database).check_position(position) == InvalidReason.EPOCH


async def test_old_changes_go_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH_ROWS", 3)
    now = datetime.now(UTC)
    for days in (40, 39, 38, 37, 36, 31, 31, 2, 1):
        row = {"noun": "users", "entity_id": uuid4(), "kind": "CREATED"}
        await execute(database, insert(Change).values(**row, at=now - timedelta(days=days)))
    before = await seqs(database, Change)
    assert await feeds.expire(database, {"changes": timedelta(days=30)}) == {"changes": 7}
    assert await seqs(database, Change) == before[7:]
    async with database.read() as session:
        min_seq = select(FeedState.min_seq).where(FeedState.name == "changes")
        assert await session.scalar(min_seq) == before[6] + 1
    assert await feeds.expire(database, {"changes": timedelta(days=30)}) == {"changes": 0}


async def test_one_process_at_a_time(database: Database) -> None:
    async with database.write() as session:
        await session.execute(select(func.pg_advisory_xact_lock(expiry.LOCK)))
        assert await feeds.expire(database, {"changes": timedelta(days=30)}) == {}
