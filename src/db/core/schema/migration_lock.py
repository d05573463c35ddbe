"""Migration lock: one process at a time migrates a database, with short waits for table locks.

All settings and locks end with their transaction, so none remain on a connection of a pooler.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from sqlalchemy import Connection, Select, Text, column, event, func, select, table, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import NullPool

from db.core.connections.connect import engine
from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo

LOCK = 0x647265616D6E6574  # "dreamnet", the key of this advisory lock
LOCK_TIMEOUT = "2s"
LOCK_ATTEMPTS = 15
WAIT_SECONDS = 300
POLL_SECONDS = 0.2
LOCK_NOT_AVAILABLE = "55P03"

# Timeouts of a role that must not apply to a migration; some exist only in newer servers.
LIMITS = ("statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout")

_settings = table("pg_settings", column("name", Text))


class MigrationFailed(Exception):
    """A database cannot be migrated; the message follows "The database …"."""


@asynccontextmanager
async def migration_lock(
    info: ConnectionInfo, waiting: Callable[[], None] = lambda: None
) -> AsyncIterator[AsyncConnection]:
    """A connection for a migration, under an exclusive lock. Calls `waiting` once if another
    process holds the lock. Raises MigrationFailed."""
    with explained_errors():
        async with lock_session(info) as lock, lock_session(info) as connection:
            await _acquire(lock, waiting)
            yield connection


def lock_session(info: ConnectionInfo) -> AsyncConnection:
    return engine(info.behind(Pooler.UNKNOWN), poolclass=NullPool).connect()


async def _acquire(lock: AsyncConnection, waiting: Callable[[], None]) -> None:
    """Begin a transaction that holds the lock, and no snapshot, which `create index concurrently`
    would wait for: waiting within a statement holds one, and so does a query until the next
    statement. A SET has none."""
    is_waiting = False
    for _ in range(round(WAIT_SECONDS / POLL_SECONDS)):
        if await lock.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
            await lock.execute(_without_limits())
            await lock.execute(text("set local lock_timeout = 0"))
            return
        await lock.rollback()
        if not is_waiting:
            waiting()
        is_waiting = True
        await asyncio.sleep(POLL_SECONDS)
    raise MigrationFailed(
        f"is being migrated by another process; waited {WAIT_SECONDS} s: retry later."
    )


async def with_retries(connection: AsyncConnection, attempt: Callable[[], Awaitable[None]]) -> None:
    """Retry a migration that does not get a table lock in time: readers queue behind a waiting
    migration."""
    for _ in range(LOCK_ATTEMPTS - 1):
        try:
            await attempt()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            await connection.rollback()
            await asyncio.sleep(POLL_SECONDS)
        else:
            return
    await attempt()


def prepare_session(connection: Connection, schema: str) -> None:
    path = func.concat_ws(", ", func.quote_ident(schema), func.current_setting("search_path"))
    settings = select(
        func.set_config("search_path", path, True),
        func.set_config("lock_timeout", LOCK_TIMEOUT, True),
    )

    @event.listens_for(connection, "begin")
    def set_up(begun: Connection) -> None:
        begun.execute(settings)
        begun.execute(_without_limits())


def _without_limits() -> Select[str]:
    known = _settings.c.name.in_(LIMITS)
    return select(func.set_config(_settings.c.name, "0", True)).where(known)


@contextmanager
def explained_errors() -> Iterator[None]:
    """Raises MigrationFailed with the message of the server, which holds no values of rows."""
    try:
        yield
    except (DBAPIError, OSError) as error:
        cause = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
        said = cause.args[0] if cause and cause.args else type(error).__name__
        message = f"cannot be migrated: {' '.join(str(said).split())}."
        raise MigrationFailed(message) from error
