"""Feeds: the order of numbers is that of commits, and readers continue or say why they cannot."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis.strategies import integers, text as texts
from sqlalchemy import func, insert, select, text

from counting import statements
from db import Database, audit, reports
from db.audit import AuditEntry, Change
from db.core.database import WriteSession
from db.core.errors import Invalid, Unavailable
from db.core.feed import Position, Reader
from db.core.ids import uuid7
from db.core.ingest import Ingestion
from db.events import Event
from db.feeds import EVENTS, FEEDS, Feeds
from db.importer import import_files
from db.users import User
from factories import make_agent, make_agent_report, make_event
from waiting import patience, until

EVERYTHING = Path(__file__).parents[1] / "samples" / "everything.jsonl"
NUMBERS = {"agents": 1, "events": 2, "changes": 3}
LOCK = 0x66656564
HELD = text("""
    select objid::int, granted from pg_locks
    where locktype = 'advisory' and classid::bigint = :lock
    and database = (select oid from pg_database where datname = current_database())
    order by objid, granted
""").bindparams(lock=LOCK)


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    """Reads the events while somebody follows."""
    reader = Reader(EVENTS, database)
    yield reader
    await reader.close()


async def locks(database: Database) -> list[tuple[int, bool]]:
    """The locks of feeds by their numbers, and whether they are held or waited for."""
    async with database.read() as session:
        return [tuple(row) for row in await session.rows(HELD)]


async def until_locks(database: Database, expected: list[tuple[int, bool]]) -> None:
    async with patience():
        while await locks(database) != expected:
            pass


async def take(session: Any, feed: str) -> None:
    """Holds up the writers of a feed until the end of the transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(LOCK, NUMBERS[feed])))


async def seqs(database: Database, table: Any) -> list[int]:
    async with database.read() as session:
        return [seq for (seq,) in await session.rows(select(table.seq).order_by(table.seq))]


async def happen(target: Database | WriteSession, **columns: Any) -> Any:
    """An event of now, whose partition is there."""
    return await make_event(target, timestamp=datetime.now(UTC), **columns)


def report(key: str) -> Any:
    row = {"agent_key": key, "status": "RUNNING", "current_task": None, "error": None}
    return reports.report(row, datetime.now(UTC), None)


# The order of commits


async def test_who_comes_second_gets_its_number_after_the_first_has_committed(
    database: Database,
) -> None:
    async with database.write() as session:
        first = await happen(session)
        second = asyncio.create_task(happen(database))
        await until_locks(database, [(2, False), (2, True)])
    assert (await second).seq == first.seq + 1


async def test_a_rolled_back_savepoint_lets_others_go_on(database: Database) -> None:
    async with database.write() as session:
        savepoint = await session.connection.begin_nested()
        await happen(session)
        await savepoint.rollback()
        await happen(database)


async def test_a_change_gets_its_number_in_the_commit(database: Database) -> None:
    async with database.write() as early:
        await audit.create(early, User, email="early@example.org")
        await make_user_with_trace(database)
    by_seq = select(User.email).join(Change, Change.entity_id == User.id).order_by(Change.seq)
    async with database.read() as session:
        emails = [email for (email,) in await session.rows(by_seq)]
    assert emails == ["late@example.org", "early@example.org"]


async def make_user_with_trace(database: Database) -> Any:
    async with database.write() as session:
        return await audit.create(session, User, email="late@example.org")


async def test_changes_of_a_transaction_stay_in_its_order(database: Database) -> None:
    async with database.write() as session:
        for number in range(20):
            user = await audit.create(session, User, email=f"user{number}@example.org")
            await audit.change(session, User, user, role="ADMIN")
    columns = Change.entity_id, Change.kind
    by_seq, by_time = (select(*columns).order_by(order) for order in (Change.seq, Change.at))
    async with database.read() as session:
        assert await session.rows(by_seq) == await session.rows(by_time)
        assert await session.scalar(select(func.count()).select_from(Change)) == 40


async def test_a_change_names_its_entry_in_the_audit_log(database: Database) -> None:
    await make_user_with_trace(database)
    joined = select(AuditEntry.operation).join(Change, Change.audit_id == AuditEntry.id)
    async with database.read() as session:
        assert await session.scalar(joined) is not None


async def test_numbers_cannot_be_brought_along(database: Database) -> None:
    row = {"noun": "users", "entity_id": uuid4(), "kind": "CREATED"}
    with pytest.raises(Exception, match="non-DEFAULT value"):
        async with database.write() as session:
            await session.execute(insert(Change).values(seq=7, **row))


async def test_reports_take_the_lock_of_agents_before_that_of_events(database: Database) -> None:
    ingestion = Ingestion(database)
    async with database.write() as session:
        await take(session, "events")
        storing = asyncio.create_task(ingestion.take(reports.REPORTED, [report("a")]))
        await until_locks(database, [(1, True), (2, False), (2, True)])
    assert await storing == {}
    async with database.write() as session:
        await take(session, "agents")
        storing = asyncio.create_task(ingestion.take(reports.REPORTED, [report("a")]))
        await until_locks(database, [(1, False), (1, True)])
    assert await storing == {}


async def test_imports_take_the_lock_of_agents_before_that_of_events(
    database: Database, tmp_path: Path
) -> None:
    async with database.write() as session:
        await take(session, "events")
        importing = asyncio.create_task(
            import_files(database, [EVERYTHING], rejects_dir=tmp_path, strict=True)
        )
        await until_locks(database, [(1, True), (2, False), (2, True)])
    assert (await importing).failed == 0


async def test_forgetting_takes_the_locks_in_their_order(database: Database) -> None:
    agent = await make_agent(database)

    async def forget() -> None:
        async with database.write() as session:
            await reports.forget(session, agent.agent_key)

    async with database.write() as session:
        await take(session, "changes")
        forgetting = asyncio.create_task(forget())
        await until_locks(database, [(1, True), (2, True), (3, False), (3, True)])
    await forgetting


async def test_who_holds_the_lock_and_hangs_is_thrown_out_soon(database: Database) -> None:
    setting = select(func.current_setting("idle_in_transaction_session_timeout"))
    async with database.write() as session:
        assert await session.scalar(setting) == "0"
        await happen(session)
        assert await session.scalar(setting) == "10s"
    async with database.write() as session:
        assert await session.scalar(setting) == "0"


# Positions


@given(integers(0, 2**32 - 1), integers(0, 2**63 - 1), integers(0, 2**32 - 1))
def test_a_position_is_printed_and_parsed(epoch: int, seq: int, check: int) -> None:
    for feed in FEEDS:
        position = Position(feed.name, epoch, seq, check)
        assert Position.parse(str(position), feed.name) == position
        assert len(str(position)) == 24


@given(texts())
def test_any_other_text_is_no_position(given: str) -> None:
    with pytest.raises(Invalid):
        Position.parse(given, "agents")


@pytest.mark.parametrize("name", ["events", "changes"])
def test_a_position_of_another_feed_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="of another feed") as refused:
        Position.parse(str(Position("agents", 1, 2, 3)), name)
    assert refused.value.field == "after"


@pytest.mark.parametrize("changed", ["version", "seq"])
def test_a_position_that_cannot_be_is_refused(changed: str) -> None:
    printed = str(Position("agents", 1, 2**63 - 1, 3))
    wrong = "Ag" + printed[2:] if changed == "version" else str(Position("agents", 1, 2**63, 3))
    with pytest.raises(Invalid):
        Position.parse(wrong, "agents")


# Reading


async def test_a_reader_gives_what_is_stored_after_it_began(
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
        assert await reader.rows(first, last, 100) == (reader.since(first), True)
        assert reader.since(first) == made[1:]
        assert await reader.rows(first, last - 2, 3) == (made[1:4], False)
        errors = Event.severity == "ERROR"
        assert await reader.rows(0, last, 100, errors) == (made[1::2], True)
        assert await reader.rows(0, last, 100, most_bytes=1) == (made[:1], False)
        assert reader.since(first, most_bytes=1) == made[1:2]


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


async def test_who_waits_is_woken_by_a_change_or_by_the_time(
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


async def test_nobody_follows_nobody_reads(database: Database, reader: Reader) -> None:
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
