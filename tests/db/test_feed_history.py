"""Histories: who continues from where, and who is told that there is nothing to continue."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import delete, func, insert, make_url, select, text, update

import ground
from db import Database, feeds
from db.agents import AgentReport
from db.audit import Change
from db.core.feed import Discontinued, History, Position, Reader, Reason, retention
from db.core.feed.ring import Ring
from db.core.table import Table
from db.events import Event
from db.feeds import AGENTS, EVENTS, Feeds
from factories import make_agent_report, make_event
from waiting import until

LONG_AGO = datetime(2020, 5, 17, tzinfo=UTC)


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    reader = Reader(EVENTS, database)
    yield reader
    await reader.close()


async def execute(database: Database, statement: Any) -> None:
    async with database.write() as session:
        await session.execute(statement)


async def read_up_to(database: Database, reader: Reader, count: int = 3) -> list[Any]:
    """Some events, and a reader that has read them."""
    made = [await make_event(database) for _ in range(count)]
    await until(lambda: reader.position.seq == made[-1].seq)
    return made


async def positions(database: Database, *records: Any) -> list[Position]:
    """Those after each record."""
    async with database.read() as session:
        epoch = await session.scalar(select(History.epoch).where(History.name == "events"))
    low = epoch.int & 0xFFFF_FFFF
    return [Position("events", low, each.seq, EVENTS.check(each)) for each in records]


# Judging: once from the ring, once from the table


@pytest.fixture(params=["ring", "table"])
async def judging(
    request: pytest.FixtureRequest, database: Database, reader: Reader
) -> AsyncIterator[tuple[Reader, list[Any]]]:
    """A reader and three events, which are in its ring or not."""
    async with AsyncExitStack() as stack:
        if request.param == "ring":
            await stack.enter_async_context(reader.following())
            yield reader, await read_up_to(database, reader)
        else:
            yield reader, [await make_event(database) for _ in range(3)]


async def test_one_can_continue_from_every_row(
    database: Database, judging: tuple[Reader, list[Any]]
) -> None:
    reader, made = judging
    for position in await positions(database, *made):
        assert await reader.judge(position) is None
    assert await reader.judge(replace(position, seq=0, check=0)) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"epoch": 7}, Reason.EPOCH),
        ({"check": 7}, Reason.DIVERGED),
        ({"seq": 1_000}, Reason.AHEAD),
    ],
)
async def test_one_cannot_continue_from_what_is_not_there(
    database: Database,
    judging: tuple[Reader, list[Any]],
    change: dict[str, int],
    reason: Reason,
) -> None:
    reader, made = judging
    [position] = await positions(database, made[1])
    assert await reader.judge(replace(position, **change)) == reason


async def test_a_row_that_is_missing_between_others_is_another_history(
    database: Database, reader: Reader
) -> None:
    made = [await make_event(database) for _ in range(3)]
    [position] = await positions(database, made[1])
    await execute(database, delete(Event).where(Event.id == made[1].id))
    assert await reader.judge(position) == Reason.DIVERGED


async def test_one_can_continue_from_the_last_row_that_went_but_not_before_it(
    database: Database, reader: Reader
) -> None:
    made = [await make_event(database) for _ in range(3)]
    before, at, after = await positions(database, *made)
    await execute(database, delete(Event).where(Event.seq <= at.seq))
    await execute(database, update(History).values(min_seq=at.seq + 1))
    assert await reader.judge(before) == Reason.EXPIRED
    assert await reader.judge(at) is None
    assert await reader.judge(after) is None
    async with reader.following():
        found, whole = await reader.rows(at.seq, after.seq, 9)
        assert ([event.seq for event in found], whole) == ([after.seq], True)
        with pytest.raises(Discontinued) as discontinued:
            await reader.rows(before.seq, after.seq, 9)
        assert discontinued.value.reason == Reason.EXPIRED


async def test_the_beginning_of_an_empty_feed_can_be_continued(
    database: Database, reader: Reader
) -> None:
    async with reader.following():
        assert await reader.judge(reader.position) is None
        beginning = reader.position
        assert (beginning.seq, beginning.check) == (0, 0)
        [first, *_] = await read_up_to(database, reader)
        assert await reader.judge(beginning) is None
        assert (reader.since(0) or [])[0] == first
        assert (reader.generation, reader.late_rows) == (0, 0)


# Readers whose database is not what it was


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (["delete from system_events where seq = 3"], Reason.AHEAD),
        (["update system_events set id = gen_random_uuid() where seq = 3"], Reason.DIVERGED),
        (["delete from system_events where seq = 3", "select nextval('system_events_seq')"], None),
        (["update feeds set epoch = gen_random_uuid()"], Reason.EPOCH),
        (
            ["select setval('system_events_seq', 99)", "update feeds set min_seq = 100"],
            Reason.EXPIRED,
        ),
    ],
    ids=["behind", "another row", "behind, then on", "another epoch", "expired"],
)
async def test_a_reader_notices_another_history(
    database: Database, reader: Reader, changes: list[str], reason: Reason | None
) -> None:
    async with reader.following():
        await read_up_to(database, reader)
        await _partition_for_random_ids(database)
        async with database.write() as session:
            for change in changes:
                await session.execute(text(change))
            if reason is None:
                await make_event(session)
        await until(lambda: reader.generation == 1)
        assert reader.reason == (reason or Reason.DIVERGED)
        assert reader.resets == {reader.reason: 1}
        head = reader.position
        assert await reader.judge(head) is None
        assert reader.since(head.seq) == []
        made = await make_event(database)
        await until(lambda: reader.position.seq == made.seq)
        assert reader.since(head.seq) == [made]
        assert reader.generation == 1


async def _partition_for_random_ids(database: Database) -> None:
    """A row that gets another id moves to another month, or else to this partition."""
    rest = "create table if not exists system_events_rest partition of system_events default"
    await execute(database, text(rest))


async def test_retention_of_all_that_was_read_is_no_other_history(
    database: Database, reader: Reader
) -> None:
    async with reader.following():
        made = await read_up_to(database, reader)
        async with database.write() as session:
            await session.execute(update(History).values(min_seq=made[-1].seq + 1))
            await session.execute(delete(Event))
        [more] = await read_up_to(database, reader, 1)
        assert reader.since(made[-1].seq) == [more]
        assert (reader.generation, reader.reason) == (0, None)


async def test_followers_of_a_database_that_is_restored_are_told(
    database_url: str, server_url: str
) -> None:
    """A copy is made, more is stored and followed, and the copy takes the place of the original."""
    async with _opened(database_url) as database:
        kept = [await make_event(database) for _ in range(3)]
    copy_url = await ground.create_database(server_url, database_url)
    async with _opened(database_url) as database:
        following = Feeds(database)
        reader = following["events"]
        async with following.running(), reader.following():
            lost = await read_up_to(database, reader)
            await _replace(server_url, database_url, copy_url)
            await until(lambda: reader.generation == 1)
            assert reader.reason == Reason.AHEAD
            assert reader.position.seq == kept[-1].seq
            survivors, victims = await positions(database, *kept), await positions(database, *lost)
            assert [await reader.judge(each) for each in survivors] == [None] * 3
            assert [await reader.judge(each) for each in victims] == [Reason.AHEAD] * 3
            other = await read_up_to(database, reader)
            assert [event.seq for event in other] == [event.seq for event in lost]
            assert [await reader.judge(each) for each in victims] == [Reason.DIVERGED] * 3
            assert reader.since(kept[-1].seq) == other


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    yield database
    await database.close()


async def _replace(server_url: str, url: str, copy_url: str) -> None:
    """Throws everybody out and gives the copy the name of the original."""
    name, copy = make_url(url).database, make_url(copy_url).database
    await ground.drop_database(server_url, url)
    connection = await asyncpg.connect(server_url)
    await connection.execute(f'alter database "{copy}" rename to "{name}"')
    await connection.close()


# The ring


def _ring(rows: int, max_rows: int = 1_000, max_bytes: int = 1_000_000) -> Ring:
    ring = Ring(0, max_rows, max_bytes)
    row = Event.Record(*[None] * len(Event.Record._fields))
    for seq in range(2, 2 * rows + 1, 2):
        ring.extend([row._replace(seq=seq)], [100])
    return ring


def test_a_ring_drops_the_oldest_of_too_many_rows() -> None:
    ring = _ring(10, max_rows=4)
    assert (ring.tail, ring.seqs, ring.bytes) == (12, [14, 16, 18, 20], 400)
    assert ring.since(11) is None
    assert [row.seq for row in ring.since(12) or ()] == [14, 16, 18, 20]
    assert [row.seq for row in ring.since(15) or ()] == [16, 18, 20]


@pytest.mark.parametrize(("max_bytes", "rows"), [(1_000, 10), (999, 9), (900, 9), (99, 0)])
def test_a_ring_drops_the_oldest_of_too_many_bytes(max_bytes: int, rows: int) -> None:
    ring = _ring(10, max_bytes=max_bytes)
    assert (len(ring.records), ring.bytes) == (rows, rows * 100)
    assert ring.tail == 20 - 2 * rows


def test_a_ring_finds_a_row_by_its_number() -> None:
    ring = _ring(3)
    assert [row and row.seq for row in map(ring.at, range(8))] == [
        *(None, None, 2, None, 4, None, 6, None)
    ]


# Retention


async def test_old_months_go_and_who_is_behind_is_told(database: Database) -> None:
    old = [await make_agent_report(database, reported_at=LONG_AGO) for _ in range(2)]
    new = await make_agent_report(database, reported_at=datetime.now(UTC))
    reader = Reader(AGENTS, database)
    async with reader.following():
        last = reader.position
        before = Position("agents", last.epoch, old[0].seq, AGENTS.check(old[0]))
        assert await feeds.expire(database, {"agents": timedelta(days=365)}) == {"agents": 1}
        assert await reader.judge(before) == Reason.EXPIRED
        assert await reader.judge(last) is None
        assert await _stored(database, AgentReport) == [new.seq]
        assert await feeds.expire(database, {"agents": timedelta(days=365)}) == {"agents": 0}
        again = await make_agent_report(database, reported_at=LONG_AGO)
        await until(lambda: reader.position.seq == again.seq)
        assert reader.generation == 0
    await reader.close()


async def test_nothing_goes_that_is_to_be_kept(database: Database) -> None:
    await make_event(database, timestamp=LONG_AGO)
    assert await feeds.expire(database, {}) == {}
    assert await feeds.expire(database, {"events": datetime.now(UTC) - LONG_AGO}) == {"events": 0}
    assert len(await _stored(database, Event)) == 1


async def test_a_month_that_was_half_taken_out_goes_and_one_that_somebody_kept_stays(
    database: Database,
) -> None:
    for month in (1, 2, 3):
        await make_event(database, timestamp=LONG_AGO.replace(month=month))
    detached, kept = "system_events_y2020m01", "system_events_y2020m02"
    await execute(database, text(f"alter table system_events detach partition {kept}"))
    await execute(database, text(f"alter table system_events detach partition {detached}"))
    await execute(database, text(f"comment on table {detached} is '{retention.EXPIRED}'"))
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
    await execute(database, update(History).values(min_seq=seen.seq + 1))
    await execute(database, text(f"comment on table {month} is '{retention.EXPIRED}'"))
    await make_event(database, timestamp=LONG_AGO)
    await execute(database, text(f"alter table system_events detach partition {month}"))
    assert await feeds.expire(database, {"events": timedelta(days=365)}) == {"events": 1}
    assert await Reader(EVENTS, database).judge(position) == Reason.EPOCH


async def test_old_changes_go_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 3)
    now = datetime.now(UTC)
    for days in (40, 39, 38, 37, 36, 31, 31, 2, 1):
        row = {"noun": "users", "entity_id": uuid4(), "kind": "CREATED"}
        await execute(database, insert(Change).values(**row, at=now - timedelta(days=days)))
    before = await _stored(database, Change)
    assert await feeds.expire(database, {"changes": timedelta(days=30)}) == {"changes": 7}
    assert await _stored(database, Change) == before[7:]
    async with database.read() as session:
        min_seq = select(History.min_seq).where(History.name == "changes")
        assert await session.scalar(min_seq) == before[6] + 1
    assert await feeds.expire(database, {"changes": timedelta(days=30)}) == {"changes": 0}


async def test_one_process_at_a_time(database: Database) -> None:
    async with database.write() as session:
        await session.execute(select(func.pg_advisory_xact_lock(retention.LOCK)))
        assert await feeds.expire(database, {"changes": timedelta(days=30)}) == {}


async def _stored(database: Database, table: type[Table]) -> list[int]:
    seq = table.__table__.c.seq
    async with database.read() as session:
        return [row[0] for row in await session.rows(select(seq).order_by(seq))]


# The auditor


async def test_a_row_that_comes_in_behind_the_reader_is_counted(
    database: Database, reader: Reader
) -> None:
    reader.auditor.window_seconds = 0.05
    async with reader.following():
        await read_up_to(database, reader)
        async with database.write() as session:
            gap = await session.scalar(text("select nextval('system_events_seq')"))
        await make_event(database)
        await until(lambda: reader.position.seq == gap + 1)
        assert reader.late_rows == 0
        await make_event(database, seq=gap)
        await until(lambda: reader.late_rows == 1)
