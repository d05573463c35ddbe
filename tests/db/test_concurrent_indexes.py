"""Indexes of a migration: on every partition, while others write, and after an interruption."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from db import Database
from db.ai_tests import AiTest
from db.core.schema import migrate, partition
from support.databases import execute, rows_of
from support.factories import make_ai_test, make_dream
from support.wait import until

BEFORE, INDEXES = "0012", "0013"
MARCH, APRIL = datetime(2019, 3, 1, tzinfo=UTC), datetime(2019, 4, 1, tzinfo=UTC)
INCOMPLETE = text("""
    select indexrelid::regclass::text from pg_index
    where not indisvalid or (
        select relkind = 'r' and relispartition from pg_class where oid = indrelid
    ) and not exists (select from pg_inherits where inhrelid = indexrelid)
""")
PARTITIONS_WITHOUT = text("""
    select leaf.relid::regclass::text, parent.relname
    from pg_class parent join pg_index on indexrelid = parent.oid,
        pg_partition_tree(indrelid) as leaf
    where parent.relkind = 'I' and leaf.isleaf and not exists (
        select from pg_inherits join pg_index own on own.indexrelid = inhrelid
        where inhparent = parent.oid and own.indrelid = leaf.relid
    )
""")

BUILDING = text("""
    select count(*) from pg_stat_activity
    where query like 'create index concurrently%' and wait_event = 'virtualxid'
        and datname = current_database() and now() - query_start > :since
""")


@pytest.fixture
async def earlier(database: Database, database_url: str) -> Database:
    """A database of the revision before, with rows in two more partitions."""
    dream = (await make_dream(database)).id
    for at in (MARCH, APRIL):
        await make_ai_test(database, dream_id=dream, created_at=at)
    await migrate.downgrade(database_url, BEFORE)
    return database


async def check_complete(url: str) -> None:
    assert await migrate.check(url) == []
    assert await rows_of(url, INCOMPLETE) == []
    assert await rows_of(url, PARTITIONS_WITHOUT) == []


async def test_down_and_up_again(earlier: Database, database_url: str) -> None:
    assert earlier
    assert await rows_of(database_url, PARTITIONS_WITHOUT) == []
    await migrate.upgrade(database_url)
    await check_complete(database_url)


async def test_a_partition_of_an_earlier_version_and_later_ones_have_all_indexes(
    earlier: Database, database_url: str
) -> None:
    async with earlier.write() as session:
        await partition.create(session, AiTest, datetime(2019, 5, 1, tzinfo=UTC))
    await migrate.upgrade(database_url)
    async with earlier.write() as session:
        await partition.ensure(session, AiTest, [datetime(2019, 6, 1, tzinfo=UTC)])
    await check_complete(database_url)


async def test_leftovers_of_an_interrupted_run_are_completed_or_replaced(
    earlier: Database, database_url: str
) -> None:
    assert earlier
    await execute(
        database_url,
        "create index ix_ai_tests_cost_id on only ai_tests (cost, id)",
        "create index ix_ai_tests_cost_id_y2019m03 on ai_tests_y2019m03 (cost, id)",
        "alter index ix_ai_tests_cost_id attach partition ix_ai_tests_cost_id_y2019m03",
        "create index ix_ai_tests_cost_id_y2019m04 on ai_tests_y2019m04 (cost, id)",
        "create index ix_dreams_title_id on dreams (title, id)",
        "update pg_index set indisvalid = false where indexrelid = 'ix_dreams_title_id'::regclass",
        "create index ix_ai_tests_duration_id_y2019m03 on ai_tests_y2019m03 (duration, id)",
        "update pg_index set indisvalid = false"
        " where indexrelid = 'ix_ai_tests_duration_id_y2019m03'::regclass",
    )
    await migrate.upgrade(database_url)
    await check_complete(database_url)


async def test_rows_are_written_while_the_indexes_are_built(
    earlier: Database, database_url: str
) -> None:
    """The build waits for the transaction of a writer, and other writers do not wait for it."""
    [(dream,)] = await rows_of(database_url, text("select id from dreams"))
    async with earlier.write() as session:
        await session.execute(text("update dreams set title = 'Held'"))
        migrating = asyncio.create_task(migrate.upgrade(database_url))
        await until(lambda: _is_building(database_url))
        await make_ai_test(earlier, dream_id=dream, created_at=MARCH)
        assert not migrating.done()
    await migrating
    await check_complete(database_url)


async def test_the_statement_timeout_of_a_role_does_not_end_a_build(
    earlier: Database, database_url: str
) -> None:
    name = database_url.partition("?")[0].rpartition("/")[2]
    await execute(database_url, f"alter database \"{name}\" set statement_timeout = '500ms'")
    async with earlier.write() as session:
        await session.execute(text("update dreams set title = 'Held'"))
        migrating = asyncio.create_task(migrate.upgrade(database_url))
        await until(lambda: _is_building(database_url, timedelta(milliseconds=600)))
    await migrating
    await check_complete(database_url)


async def _is_building(url: str, since: timedelta = timedelta()) -> bool:
    """True if a build waits for a transaction, for so long."""
    return await rows_of(url, BUILDING.bindparams(since=since)) == [(1,)]
