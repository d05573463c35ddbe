"""`dreamnet migrate` is interrupted while it waits."""

import signal

import pytest
from sqlalchemy import func, select, text

from db import Database
from db.core.schema import migrate
from db.core.schema.migration_lock import LOCK
from support.migrate_command import Run
from support.wait import patience, until


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_wait_for_another_process_is_interrupted(
    run: Run, database: Database, how: signal.Signals
) -> None:
    async with database.write() as other:
        await other.scalar(select(func.pg_advisory_xact_lock(LOCK)))
        process = await run.begun("up")
        assert process.stderr
        async with patience():
            said = await process.stderr.readline()
        assert said == b"Another process is migrating this database; waiting up to 300 s.\n"
        process.send_signal(how)
        async with patience():
            await process.wait()
        rest = (await process.stderr.read()).decode()
    assert process.returncode == 130
    assert "Traceback" not in rest
    await migrate.upgrade(run.url)


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_a_migration_that_waits_for_readers_is_interrupted(
    run: Run, database: Database, how: signal.Signals
) -> None:
    async with database.write() as reader:
        await reader.execute(text("lock table changes in access share mode"))
        process = await run.begun("down", "0004", "--yes")
        await until(lambda: waits(database))
        process.send_signal(how)
        async with patience():
            _, error = await process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in error
    assert str(await migrate.current(run.url)) >= "0005"
    await migrate.upgrade(run.url)


async def waits(database: Database) -> bool:
    waiting = text(
        "select count(*) from pg_locks join pg_database on pg_database.oid = database"
        " where datname = current_database() and not granted and relation is not null"
    )
    async with database.read() as session:
        return bool(await session.scalar(waiting))
