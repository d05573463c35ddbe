"""Direct reads: a compiled statement on a connection of the pool, without SQLAlchemy's execution.

Everything that the pool gives is kept: shares of connections, metering, timeouts. A failure of any
other kind is left to the caller, who repeats the read the ordinary way.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from asyncpg import InterfaceError, PostgresError
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_dbapi
from sqlalchemy.exc import DBAPIError, MissingGreenlet
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import greenlet_spawn

from db.core.connections.meter import METERED
from db.core.connections.pool import NoneIdle, Pool
from db.core.connections.pooler import DriverConnection
from db.core.connections.unnamed import UNNAMED
from db.core.errors import TookTooLong
from db.core.session.compiled import CompiledStatement
from db.core.session.database import Database
from db.core.session.recorder import EXPLAIN, plan_text

# The driver's errors, and those of hooks of the pool, which only engines report as DBAPIError.
_FAILURES = (
    *(PostgresError, InterfaceError, AsyncAdapt_asyncpg_dbapi.Error, DBAPIError),
    *(OSError, BufferError),
)

DirectRow = Sequence[Any]  # a record of the driver, whose columns are known only at run time


class DirectReadFailed(Exception):
    """The connection broke or the statement failed."""


async def fetch(
    database: Database, statement: CompiledStatement, parameters: Mapping[str, object]
) -> Sequence[DirectRow]:
    """The rows of a statement, in autocommit. Raises the errors of waiting for a connection,
    TookTooLong, TooLarge, Crowded and DirectReadFailed."""
    if database.meter:
        database.meter.check()
    await database.limiter.acquire(database.borrower)
    try:
        return await _fetch(database, statement, statement.arguments(parameters))
    except TimeoutError as error:
        if statement.kind is None:
            raise DirectReadFailed from error
        raise TookTooLong from error
    except _FAILURES as error:
        if database.meter:
            database.meter.check()
        raise DirectReadFailed from error
    finally:
        database.limiter.release(database.borrower)


async def _fetch(
    database: Database, statement: CompiledStatement, arguments: list[object]
) -> Sequence[DirectRow]:
    seconds = None if statement.kind is None else getattr(database.timeouts, statement.kind)
    pool = cast("Pool", database.engine.pool)
    connection = await checked_out(pool)
    metered = connection.info[METERED]
    metered.meter = database.meter
    driver: DriverConnection = connection.driver_connection
    executor = connection.info[UNNAMED] if statement.for_values else driver
    began = time.perf_counter()
    try:
        if database.recorder is None:
            rows: Sequence[DirectRow]
            rows = await executor.fetch(statement.sql, *arguments, timeout=seconds)
            return rows
        with database.recorder.sending(statement.sql) as sent:
            rows = await executor.fetch(statement.sql, *arguments, timeout=seconds)
            sent.rows = len(rows)
        if database.recorder.takes_plan(sent):
            explain = EXPLAIN + statement.sql
            sent.plan = plan_text(await executor.fetch(explain, *arguments, timeout=seconds))
        return rows
    except (asyncio.CancelledError, TimeoutError, BufferError):
        connection.invalidate()
        raise
    finally:
        database.durations.add(statement.sql, time.perf_counter() - began)
        metered.meter = None
        if connection.is_valid:
            pool.reserve(connection)


async def checked_out(pool: Pool) -> PoolProxiedConnection:
    """A connection of the pool: at once if an open one is idle, as nearly always. A greenlet, which
    SQLAlchemy needs to wait or to connect, takes longer than the rest of a short read."""
    try:
        return pool.connect_idle()
    except (NoneIdle, MissingGreenlet):
        connection: PoolProxiedConnection = await greenlet_spawn(pool.connect)
        return connection
