"""Readers of feeds return every stored row while they have subscribers."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import delete, insert, text

from db import Database
from db.core.errors import Unavailable
from db.core.feed import Reader
from db.core.ids import uuid7
from db.events import Event
from db.feeds import EVENTS, Feeds
from support.factories import make_agent_report, make_event
from support.feeds import happen, make_user_with_trace, read_up_to
from support.query_count import statements
from support.wait import patience, until


async def test_a_reader_returns_rows_stored_after_its_start(
    database: Database, reader: Reader
) -> None:
    before = await happen(database)
    async with reader.following():
        assert reader.position.seq == before.seq
        made = [await happen(database) for _ in range(3)]
        await until(lambda: reader.position.seq == made[-1].seq)
        assert reader.since(before.seq) == made
        assert reader.since(made[0].seq) == made[1:]
        assert reader.since(made[-1].seq) == []
        assert reader.since(before.seq - 1) is None


async def test_every_feed_is_read(database: Database) -> None:
    feeds = Feeds(database)
    async with feeds.running(), feeds["agents"].following(), feeds["changes"].following():
        made = await make_agent_report(database)
        await make_user_with_trace(database)
        await until(lambda: feeds["agents"].position.seq == made.seq)
        await until(lambda: feeds["changes"].position.seq > 0)
        assert feeds["agents"].since(made.seq - 1) == [made]
        [change] = feeds["changes"].since(0) or ()
        assert (change.noun, change.kind) == ("users", "CREATED")


async def test_the_table_gives_the_rows_that_the_ring_gave(
    database: Database, reader: Reader
) -> None:
    async with reader.following():
        made = [await happen(database, severity=s) for s in ("INFO", "ERROR") * 5]
        await until(lambda: reader.position.seq == made[-1].seq)
        first, last = made[0].seq, made[-1].seq
        assert await reader.rows(first, last, 100) == (reader.since(first), None)
        assert reader.since(first) == made[1:]
        assert await reader.rows(first, last - 2, 3) == (made[1:4], made[3])
        errors = Event.severity == "ERROR"
        assert await reader.rows(0, last, 100, errors) == (made[1::2], None)
        assert await reader.rows(0, last, 100, most_bytes=1) == (made[:1], made[0])
        assert reader.since(first, most_bytes=1) == made[1:2]


async def test_conditions_that_few_rows_meet_are_looked_for_a_part_at_a_time(
    database: Database, reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.core.feed.reader.LOOK_ROWS", 4)
    async with reader.following():
        made = [await happen(database, severity=s) for s in ["INFO"] * 9 + ["ERROR"]]
        async with database.write() as session:
            await session.execute(delete(Event).where(Event.seq == made[4].seq))  # a gap
        await until(lambda: reader.position.seq == made[-1].seq)
        after, last, errors = made[0].seq, made[-1].seq, Event.severity == "ERROR"

        assert await reader.rows(after, last, 100, errors) == ([], made[5])
        assert await reader.rows(made[5].seq, last, 100, errors) == ([made[9]], None)
        assert await reader.rows(after, last, 2) == (made[1:3], made[2])
        assert await reader.rows(after, made[4].seq, 100, errors) == ([], None)


async def test_a_page_that_is_full_is_followed_by_the_next_at_once(
    database: Database, reader: Reader
) -> None:
    now = datetime.now(UTC)
    row = {"event_type": "many", "source": "test", "timestamp": now}
    async with reader.following():
        async with database.write() as session:
            await session.execute(insert(Event), [{"id": uuid7(now), **row} for _ in range(5_000)])
        await until(lambda: reader.position.seq == 5_000)
        found = reader.since(0)
        assert found is not None
        assert [event.seq for event in found] == list(range(1, 5_001))


async def test_waiting_readers_wake_by_change_or_timeout(
    database: Database, reader: Reader
) -> None:
    async with patience(), reader.following():
        seq = reader.position.seq
        await reader.changed(0, seq, 0.01)
        assert reader.position.seq == seq
        waiting = [asyncio.create_task(reader.changed(0, seq, 60)) for _ in range(100)]
        made = await happen(database)
        await asyncio.gather(*waiting)
        assert reader.position.seq == made.seq
        await reader.changed(0, seq, 60)  # at once: it is not there any more
        await reader.changed(1, made.seq, 60)


async def test_feeds_without_subscribers_are_not_read(database: Database, reader: Reader) -> None:
    async with reader.following(), reader.following():
        pass
    made = await happen(database)
    assert reader.position.seq == made.seq - 1
    async with reader.following():
        assert reader.position.seq == made.seq


async def test_following_fails_when_the_end_is_not_to_be_known(database_url: str) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    reader = Reader(EVENTS, nowhere)
    with pytest.raises(Unavailable):
        async with reader.following():
            pass
    await nowhere.close()


async def test_a_reader_outlives_its_connections(
    database: Database, database_url: str, reader: Reader
) -> None:
    async with reader.following():
        for _ in range(3):
            await _terminate_all(database_url)
            fresh = Database(database_url, pool_size=1)
            made = await happen(fresh)
            await fresh.close()
            await until(lambda seq=made.seq: reader.position.seq == seq)
        assert (reader.generation, reader.reason) == (0, None)
        await until(lambda: reader.lag < 1)


async def _terminate_all(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_a_look_is_one_statement(database: Database, reader: Reader) -> None:
    await happen(database)
    async with database.read() as session:
        with statements(database, exactly=1):
            await reader.pages.since(session, 0, 10)


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
