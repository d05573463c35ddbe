"""The order of feeds: numbers follow the commits, and writers take the locks in one order."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select, text

from db import Database, audit
from db.agents import reports
from db.audit import AuditEntry, Change, PendingChange
from db.core.feed.numbering import Numbering
from db.core.ingest.writer import Ingestion
from db.core.session.database import WriteSession
from db.feeds import Feeds
from db.importer import import_files
from db.users import User
from support.factories import make_agent
from support.feeds import happen, make_user_with_trace, number_changes
from support.imports import EVERYTHING
from support.ingest_rows import NOW, report
from support.stored_rows import execute, rows, seqs
from support.wait import patience, until

NUMBERS = {"agents": 1, "events": 2, "metrics": 4, "changes": 3}
LOCK = 0x66656564
CHANGE = {"noun": "users", "entity_id": UUID(int=7), "kind": "CREATED"}
HELD = text("""
    select objid::int, granted from pg_locks
    where locktype = 'advisory' and classid::bigint = :lock
    and database = (select oid from pg_database where datname = current_database())
    order by objid, granted
""").bindparams(lock=LOCK)


async def locks(database: Database) -> list[tuple[int, bool]]:
    """The locks of feeds by their numbers, and whether they are held or waited for."""
    return await rows(database, HELD)


async def until_locks(database: Database, expected: list[tuple[int, bool]]) -> None:
    async with patience():
        while await locks(database) != expected:
            pass


async def make_user_within(session: WriteSession) -> None:
    await audit.create(session, User, email="somebody@example.org")


async def take(session: Any, feed: str) -> None:
    """Holds up the writers of a feed until the end of the transaction."""
    await session.execute(select(func.pg_advisory_xact_lock(LOCK, NUMBERS[feed])))


async def test_seq_follows_commit_order(
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


async def test_a_change_gets_its_number_after_the_commit(database: Database) -> None:
    async with database.write() as early:
        await audit.create(early, User, email="early@example.org")
        await make_user_with_trace(database, "late@example.org")
        await number_changes(database)
    await number_changes(database)
    by_seq = select(User.email).join(Change, Change.entity_id == User.id).order_by(Change.seq)
    async with database.read() as session:
        emails = [email for (email,) in await session.rows(by_seq)]
    assert emails == ["late@example.org", "early@example.org"]


async def test_changes_of_a_transaction_stay_in_its_order(database: Database) -> None:
    async with database.write() as session:
        for number in range(20):
            user = await audit.create(session, User, email=f"user{number}@example.org")
            await audit.change(session, User, user, role="ADMIN")
    await number_changes(database)
    columns = Change.entity_id, Change.kind
    by_seq, by_time = (select(*columns).order_by(order) for order in (Change.seq, Change.at))
    async with database.read() as session:
        assert await session.rows(by_seq) == await session.rows(by_time)
        assert await session.scalar(select(func.count()).select_from(Change)) == 40


async def test_numbering_many_changes_reads_no_whole_table(database: Database) -> None:
    """Also if the plan is made while the table is small."""
    await execute(database, text("analyze changes"))
    scanned = text("select pg_stat_get_xact_tuples_returned('changes'::regclass)")
    for _ in range(2):
        async with database.write() as session:
            before = await session.scalar(scanned)
            await session.execute(insert(Change), [CHANGE] * 100)
            await session.execute(text("set constraints all immediate"))
            assert await session.scalar(scanned) == before


async def test_a_change_names_its_entry_in_the_audit_log(database: Database) -> None:
    await make_user_with_trace(database)
    await number_changes(database)
    joined = select(AuditEntry.operation).join(Change, Change.audit_id == AuditEntry.id)
    async with database.read() as session:
        assert await session.scalar(joined) is not None


async def test_numbers_cannot_be_brought_along(database: Database) -> None:
    with pytest.raises(Exception, match="non-DEFAULT value"):
        async with database.write() as session:
            await session.execute(insert(Change).values(seq=7, **CHANGE))


async def test_reports_take_the_lock_of_agents_before_that_of_events(database: Database) -> None:
    ingestion = Ingestion(database)
    async with database.write() as session:
        await take(session, "events")
        storing = asyncio.create_task(ingestion.submit(reports.REPORTED, [report(1, NOW)]))
        await until_locks(database, [(1, True), (2, False), (2, True)])
    assert await storing == {}
    async with database.write() as session:
        await take(session, "agents")
        storing = asyncio.create_task(ingestion.submit(reports.REPORTED, [report(1, NOW)]))
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


async def test_imports_take_the_lock_of_events_before_that_of_metrics(
    database: Database, tmp_path: Path
) -> None:
    async with database.write() as session:
        await take(session, "metrics")
        importing = asyncio.create_task(
            import_files(database, [EVERYTHING], rejects_dir=tmp_path, strict=True)
        )
        await until_locks(database, [(1, True), (2, True), (4, False), (4, True)])
    assert (await importing).failed == 0


async def test_forgetting_takes_the_locks_in_their_order(database: Database) -> None:
    agent = await make_agent(database)

    async def forget() -> None:
        async with database.write() as session:
            await reports.forget(session, agent.agent_key)

    async with database.write() as session:
        await take(session, "events")
        forgetting = asyncio.create_task(forget())
        await until_locks(database, [(1, True), (2, False), (2, True)])
    await forgetting


async def test_transactions_with_changes_do_not_wait_for_each_other(database: Database) -> None:
    async with database.write() as session:
        await take(session, "changes")
        await make_user_with_trace(database)
        assert await locks(database) == [(3, True)]


async def test_numbering_waits_for_gateways_of_the_last_release(database: Database) -> None:
    """They insert changes that are numbered in the commit, under the same lock."""
    async with database.write() as session:
        await session.execute(insert(Change).values(CHANGE))
        await session.execute(text("set constraints all immediate"))
        await make_user_with_trace(database)
        numbering = asyncio.create_task(number_changes(database))
        await until_locks(database, [(3, False), (3, True)])
    await numbering
    numbers = select(Change.pending_number).order_by(Change.seq)
    assert await rows(database, numbers) == [(None,), (1,)]


async def test_many_pending_changes_are_numbered_in_batches(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.core.feed.numbering.BATCH_ROWS", 3)
    await execute(database, insert(PendingChange).values([CHANGE] * 7))
    await number_changes(database)
    numbers = select(Change.pending_number).order_by(Change.seq)
    assert await rows(database, numbers) == [(number,) for number in range(1, 8)]


async def test_changes_of_a_restored_database_are_numbered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their transactions were those of another server, and so may be those of the present."""
    numbering = Numbering(PendingChange, Change, database)
    await make_user_with_trace(database)
    await numbering.run()
    assert numbering.floor > 1
    numbering._floor = 2**60
    await make_user_with_trace(database, "of-another-server@example.org")
    await numbering.run()
    assert len(await seqs(database, Change)) == 2

    await execute(database, insert(PendingChange).values(xid=1, **CHANGE))
    await numbering.run()
    assert len(await seqs(database, Change)) == 2
    monkeypatch.setattr("db.core.feed.numbering.WHOLE_SECONDS", 0)
    await numbering.run()
    assert len(await seqs(database, Change)) == 3


async def test_changes_that_another_process_left_behind_are_read(database: Database) -> None:
    feeds = Feeds(database)  # not running, so it gets no wakeups
    async with feeds["changes"].following():
        made = await make_user_with_trace(database)
        await until(lambda: feeds["changes"].position.seq == 1)
        [change] = feeds["changes"].since(0) or ()
        assert change.entity_id == made.id
    await feeds["changes"].close()


async def test_changes_are_numbered_where_nobody_follows_them(database: Database) -> None:
    feeds = Feeds(database)
    async with feeds.running():
        await make_user_with_trace(database)
        async with patience():
            while not await seqs(database, Change):
                pass


@pytest.mark.parametrize("write", [happen, make_user_within])
async def test_a_session_idle_with_rows_of_a_feed_is_terminated(
    database: Database, write: Callable[[WriteSession], Awaitable[object]]
) -> None:
    setting = select(func.current_setting("idle_in_transaction_session_timeout"))
    async with database.write() as session:
        assert await session.scalar(setting) == "0"
        await write(session)
        assert await session.scalar(setting) == "10s"
    async with database.write() as session:
        assert await session.scalar(setting) == "0"
