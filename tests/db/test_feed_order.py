"""The order of feeds: numbers follow the commits, and writers take the locks in one order."""

import asyncio
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, insert, select, text

from db import Database, audit
from db.agents import reports
from db.audit import AuditEntry, Change
from db.core.ingest.writer import Ingestion
from db.importer import import_files
from db.users import User
from support.factories import make_agent
from support.feeds import happen, make_user_with_trace
from support.imports import EVERYTHING
from support.ingest_rows import NOW, report
from support.stored_rows import execute, rows
from support.wait import patience

NUMBERS = {"agents": 1, "events": 2, "metrics": 4, "changes": 3}
LOCK = 0x66656564
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


async def test_a_change_gets_its_number_in_the_commit(database: Database) -> None:
    async with database.write() as early:
        await audit.create(early, User, email="early@example.org")
        await make_user_with_trace(database, "late@example.org")
    by_seq = select(User.email).join(Change, Change.entity_id == User.id).order_by(Change.seq)
    async with database.read() as session:
        emails = [email for (email,) in await session.rows(by_seq)]
    assert emails == ["late@example.org", "early@example.org"]


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


async def test_numbering_many_changes_reads_no_whole_table(database: Database) -> None:
    """Also if the plan is made while the table is small."""
    await execute(database, text("analyze changes"))
    scanned = text("select pg_stat_get_xact_tuples_returned('changes'::regclass)")
    for _ in range(2):
        async with database.write() as session:
            before = await session.scalar(scanned)
            changes = [{"noun": "users", "entity_id": uuid4(), "kind": "CREATED"}] * 100
            await session.execute(insert(Change), changes)
            await session.execute(text("set constraints all immediate"))
            assert await session.scalar(scanned) == before


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
        await take(session, "changes")
        forgetting = asyncio.create_task(forget())
        await until_locks(database, [(1, True), (2, True), (3, False), (3, True)])
    await forgetting


async def test_a_session_idle_with_the_feed_lock_is_terminated(database: Database) -> None:
    setting = select(func.current_setting("idle_in_transaction_session_timeout"))
    async with database.write() as session:
        assert await session.scalar(setting) == "0"
        await happen(session)
        assert await session.scalar(setting) == "10s"
    async with database.write() as session:
        assert await session.scalar(setting) == "0"
