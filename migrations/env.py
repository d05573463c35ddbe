"""How migrations run: one starter at a time, never waiting long for a lock that readers hold.

The database is the `url` that `db.core.migrate` passes on, or `DATABASE_URL` for the `alembic`
command line. It must lead to PostgreSQL itself: the advisory lock belongs to a session, and a
pooler in transaction mode gives no session.
"""

import asyncio
import os
from collections.abc import Callable

from alembic import context
from sqlalchemy import Connection, MetaData, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

import db as db  # registers every table on the metadata
from db.core.connect import engine
from db.core.table import Table
from db.core.url import connection_info

LOCK = 0x647265616D6E6574  # "dreamnet", so that it meets no lock of anybody else
LOCK_TIMEOUT = "2s"
LOCK_ATTEMPTS = 15
WAIT_SECONDS = 300
POLL_SECONDS = 0.2
LOCK_NOT_AVAILABLE = "55P03"

# made by db.core.partition as time goes on, not by migrations
PARTITIONS = text("select relname from pg_class where relispartition and relkind = 'r'")


async def run() -> None:
    """Migrates over one connection that holds the advisory lock until it is closed."""
    url = context.config.attributes.get("url") or os.environ["DATABASE_URL"]
    opened = engine(connection_info(url), poolclass=NullPool)
    try:
        async with opened.connect() as connection:
            await take_turn(connection)
            await connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
            await connection.commit()
            await with_retries(connection, migrate)
    finally:
        await opened.dispose()


async def take_turn(connection: AsyncConnection) -> None:
    """Waits for other starters. It asks again and again instead of waiting inside a statement:
    a waiting statement holds a snapshot, and `create index concurrently` waits for snapshots."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not await connection.scalar(select(func.pg_try_advisory_lock(LOCK))):
            await connection.commit()
            await asyncio.sleep(POLL_SECONDS)


async def with_retries(connection: AsyncConnection, step: Callable[[Connection], None]) -> None:
    """Gives way when a lock is not to be had, since readers queue up behind a waiting migration,
    and later goes on with the migration that was given up."""
    for _ in range(LOCK_ATTEMPTS - 1):
        try:
            await connection.run_sync(step)
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            await connection.rollback()
            await asyncio.sleep(POLL_SECONDS)
        else:
            return
    await connection.run_sync(step)


def migrate(connection: Connection) -> None:
    """Runs what alembic was asked to run; each migration is a transaction."""
    partitions = set(connection.scalars(PARTITIONS))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=tables(),
        transaction_per_migration=True,
        compare_type=True,
        compare_server_default=True,
        include_name=lambda name, kind, _parents: kind != "table" or name not in partitions,
    )
    with context.begin_transaction():
        context.run_migrations()


def tables() -> MetaData:
    """All tables, with the constraints of a column moved to its table: alembic sees no others."""
    for table in Table.metadata.tables.values():
        for column in table.columns:
            while column.constraints:
                table.append_constraint(column.constraints.pop())
    return Table.metadata


if context.is_offline_mode():
    raise SystemExit("Migrations need a database: there is no offline mode.")
asyncio.run(run())
