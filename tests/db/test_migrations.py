"""Migrations: up, down, at the same time, and equal to the tables in the code."""

import asyncio
import sys
from typing import Any

from sqlalchemy import text

from db import Database
from db.core.connections.connect import engine
from db.core.connections.url import connection_info
from db.core.schema import migrate, revisions
from db.core.schema.revision import VERSIONS
from db.core.table import Table
from support import databases
from support.databases import execute, rows_of
from support.factories import make_ai_test
from support.wait import patience

STRUCTURE = text("""
    select conrelid::regclass::text, conname, pg_get_constraintdef(oid)
    from pg_constraint where connamespace = 'public'::regnamespace and contype <> 't'
    union all
    select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'
    union all
    select table_name, column_name, concat_ws(' ', data_type, is_nullable, column_default)
    from information_schema.columns where table_schema = 'public'
    union all
    select 'sequence', sequencename, data_type::text from pg_sequences
""")

RELATIONS = text("select count(*) from pg_class where relnamespace = 'public'::regnamespace")


async def test_up_to_head_down_to_base_and_up_again(empty_url: str) -> None:
    assert await migrate.current(empty_url) is None
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == revisions.head()
    await migrate.downgrade(empty_url, "base")
    assert await migrate.current(empty_url) is None
    assert await _relations(empty_url) == 2  # the table of the revision and its key
    await migrate.upgrade(empty_url)
    assert await migrate.current(empty_url) == revisions.head()


async def test_down_takes_partitions_and_rows_along(database: Database, database_url: str) -> None:
    await make_ai_test(database)
    await migrate.downgrade(database_url, "base")
    assert await _relations(database_url) == 2


async def test_upgrading_twice_changes_nothing(database: Database, database_url: str) -> None:
    test = await make_ai_test(database)
    await migrate.upgrade(database_url)
    async with database.read() as session:
        assert await session.scalar(text("select id from ai_tests")) == test.id


async def test_check_finds_no_difference(database_url: str) -> None:
    assert await migrate.check(database_url) == []


async def test_check_lists_missing_and_extra_columns(database_url: str) -> None:
    await execute(
        database_url, "alter table users drop column preferences, add column shoe_size int"
    )
    differences = await migrate.check(database_url)
    assert len(differences) == 2
    assert "preferences" in str(differences)
    assert "shoe_size" in str(differences)


async def test_check_of_an_empty_database_reports_the_revision(empty_url: str) -> None:
    assert await migrate.check(empty_url) == ["Target database is not up to date."]


async def test_migrations_make_what_the_tables_declare(empty_url: str, server_url: str) -> None:
    """More than `check` sees: check constraints, index definitions, sequences."""
    declared_url = await databases.create_database(server_url)
    declared = engine(connection_info(declared_url))
    async with declared.begin() as connection:
        await connection.run_sync(Table.metadata.create_all)
    await declared.dispose()
    await migrate.upgrade(empty_url)
    expected, migrated = await _structure(declared_url), await _structure(empty_url)
    await databases.drop_database(server_url, declared_url)
    assert migrated == expected


async def test_two_starters_at_once(empty_url: str) -> None:
    starters = [await _starter(empty_url) for _ in range(3)]
    outcomes = [await starter.communicate() for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0], outcomes
    assert await migrate.current(empty_url) == revisions.head()


async def test_two_upgrades_in_one_process(empty_url: str) -> None:
    await asyncio.gather(migrate.upgrade(empty_url), migrate.upgrade(empty_url))
    assert await migrate.current(empty_url) == revisions.head()


async def test_a_migration_waits_for_a_lock_and_continues(database_url: str) -> None:
    database = Database(database_url)
    async with database.write() as session:
        await session.execute(text("lock table changes in access share mode"))
        going_down = asyncio.create_task(migrate.downgrade(database_url, "base"))
        await _until_waiting(database, 1)
        await _until_waiting(database, 0)
        assert not going_down.done()
    await going_down
    await database.close()
    assert await migrate.current(database_url) is None


def test_supported_are_the_revisions_this_code_knows() -> None:
    assert revisions.supported(revisions.head())
    assert not revisions.supported("of-a-later-release")
    assert not revisions.supported(None)


async def _starter(url: str) -> asyncio.subprocess.Process:
    code = "import asyncio, sys; from db.core.schema import migrate; "
    code += "asyncio.run(migrate.upgrade(sys.argv[1]))"
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, url, stderr=asyncio.subprocess.PIPE
    )


async def _until_waiting(database: Database, sessions: int) -> None:
    waiting = text(
        "select count(*) from pg_locks join pg_database on pg_database.oid = database"
        " where datname = current_database() and not granted and relation is not null"
    )
    async with patience(), database.read() as session:
        while await session.scalar(waiting) != sessions:
            pass


async def _relations(url: str) -> int:
    [(count,)] = await rows_of(url, RELATIONS)
    return int(count)


def is_of_library(table: str, name: str, _: str) -> bool:
    """Whether it is of procrastinate, whose tables the code does not declare."""
    return table.startswith("procrastinate_") or name.startswith("procrastinate_")


async def _structure(url: str) -> set[tuple[Any, ...]]:
    return {
        row
        for row in await rows_of(url, STRUCTURE)
        if row[0] != VERSIONS and not is_of_library(*row)
    }


def test_revisions_are_those_of_alembic() -> None:
    newest_first = [script.revision for script in migrate._scripts().walk_revisions()]
    assert tuple(reversed(newest_first)) == revisions.revisions()
