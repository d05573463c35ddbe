"""Copies by pg_dump and pg_restore: of whole databases, and of rows into tables that are there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db import Database, audit
from db.core.connections.url import connection_info
from db.core.embedded.os_account import hand_over
from db.core.embedded.programs import run
from db.core.schema import migrate, partition, revisions
from db.users import User
from support.databases import create_database, drop_database
from support.factories import START, make_agent_report, make_ai_test, make_event

ROWS = """
    select (select count(*) from users), (select count(*) from dreams),
        (select count(*) from ai_tests), (select count(*) from agent_history),
        (select count(*) from system_events), (select count(*) from changes)
"""


class Copy:
    """A dump of this test's database, to restore into another."""

    def __init__(self, url: str, folder: Path) -> None:
        self.file = str(folder / "dump")
        run("pg_dump", "--format=custom", f"--file={self.file}", "--dbname", url)

    def restore(self, url: str, *options: str) -> None:
        run("pg_restore", "--exit-on-error", "--dbname", url, *options, self.file)


@pytest.fixture
async def target(server_url: str) -> AsyncIterator[str]:
    """The URL of another database, which is empty."""
    url = await create_database(server_url)
    yield url
    await drop_database(server_url, url)


@pytest.fixture
async def copy(database: Database, database_url: str, tmp_path: Path) -> Copy:
    await make_ai_test(database)
    await make_agent_report(database)
    await make_event(database)
    for number in range(3):
        async with database.write() as session:
            await audit.create(session, User, email=f"{number}@example.org")
    hand_over(tmp_path)
    return await asyncio.to_thread(Copy, database_url, tmp_path)


async def rows(url: str) -> Any:
    database = Database(url)
    async with database.read() as session:
        counts = (await session.rows(text(ROWS)))[0]
    await database.close()
    return counts


async def test_a_whole_database_is_restored(copy: Copy, database_url: str, target: str) -> None:
    await asyncio.to_thread(copy.restore, target)
    assert await rows(target) == await rows(database_url)
    assert await migrate.current(target) == revisions.head()
    assert await migrate.check(target) == []
    await migrate.upgrade(target)


async def test_rows_are_restored_into_tables_that_are_there(
    copy: Copy, database_url: str, target: str
) -> None:
    await migrate.upgrade(target)
    database = Database(target)
    await partition.ensure_ahead(database)
    async with database.write() as session:
        for table in partition.partitioned():
            await partition.ensure(session, table, [START])
        await session.execute(text("truncate feeds, dreamnet_version, alert_rules cascade"))
    await asyncio.to_thread(copy.restore, target, "--data-only", "--disable-triggers")
    assert await rows(target) == await rows(database_url)
    await database.close()


@pytest.mark.parametrize("table", ["users", "changes", "feature_flags"])
async def test_the_rows_of_one_table_are_restored(
    copy: Copy, database_url: str, target: str, table: str
) -> None:
    await migrate.upgrade(target)
    await asyncio.to_thread(copy.restore, target, "--data-only", f"--table={table}")
    count = text(f"select count(*) from {table}")  # noqa: S608  names of ours
    counts = []
    for url in (database_url, target):
        database = Database(url)
        async with database.read() as session:
            counts.append(await session.scalar(count))
        await database.close()
    assert counts[0] == counts[1]
    assert connection_info(target).dbname != connection_info(database_url).dbname
