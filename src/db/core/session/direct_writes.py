"""Direct writes: statements that are each a transaction of its own, compiled once and sent without
SQLAlchemy's execution.

Everything that `Database.autocommit` gives is kept: shares of connections, replacement of read-only
sessions, SQLAlchemy's errors, and what it does about broken connections. A statement takes a
seventh of the CPU.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from types import TracebackType
from typing import Self, cast

from asyncpg import PostgresError
from sqlalchemy import ClauseElement, Connection, Executable
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection, PGDialect_asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler

from db.core.connections.meter import METERED
from db.core.connections.pool import Pool, is_read_only, replacing_read_only
from db.core.errors import ReadOnly
from db.core.session.audit_context import AuditContext
from db.core.session.compiled import CompiledStatement, Processor
from db.core.session.database import Database, Parameters, ResultRow, Rows, WriteSession
from db.core.session.direct import DirectRow, checked_out
from db.core.session.pg_errors import READ_ONLY, TOO_MANY_CONNECTIONS, domain_errors, sqlstate

ATTEMPTS = 4  # to connect to a server that has no connection left


def compile_write(database: Database, statement: ClauseElement) -> CompiledStatement:
    """Compile a statement whose parameters are those without a value."""
    compiled = cast("SQLCompiler", statement.compile(dialect=_dialect_of(database)))
    values, processors = compiled.construct_params(_check=False), compiled._bind_processors
    constants: list[object] = []
    parameters = []
    for place, name in enumerate(compiled.positiontup or ()):
        process = cast("Processor | None", processors.get(name))  # a sequence only for tuples
        if compiled.binds[name].required:
            constants.append(None)
            parameters.append((place, name, process))
        else:
            constants.append(process(values[name]) if process else values[name])
    return CompiledStatement(str(compiled), tuple(constants), tuple(parameters), None)


class DirectConnection:
    """A connection of the pool for statements that write. Entering it raises Unavailable, ReadOnly,
    and the driver's errors as SQLAlchemy reports them."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.connection: PoolProxiedConnection

    async def __aenter__(self) -> Self:
        database = self.database
        if database.meter:
            database.meter.check()
        with database.noting_refusals():
            self.connection = await self._borrowed(ATTEMPTS)
        self.connection.info[METERED].meter = database.meter
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.connection.is_valid:
            self.connection.info[METERED].meter = None
        if error is None and self.connection.is_valid:
            self._pool.reserve(self.connection)
            self.database.limiter.release(self.database.borrower)
        else:
            self._give_back(self.connection)

    async def execute(
        self, statement: CompiledStatement, parameters: Mapping[str, object]
    ) -> Sequence[DirectRow]:
        """Execute a statement; return its rows. Raises the driver's errors as SQLAlchemy reports
        them."""
        if (recorder := self.database.recorder) is None:
            return await self._execute(statement, parameters)
        with recorder.sending(statement.sql) as sent:
            rows = await self._execute(statement, parameters)
            sent.rows = len(rows)
        return rows

    async def _execute(
        self, statement: CompiledStatement, parameters: Mapping[str, object]
    ) -> Sequence[DirectRow]:
        arguments = statement.arguments(parameters)
        stale_before = _dialect_of(self.database)._invalidate_schema_cache_asof
        began = time.perf_counter()
        try:
            # as SQLAlchemy does, so that both use the same prepared statements, also behind poolers
            prepared, _ = await self._adapter._prepare(statement.sql, stale_before)  # type: ignore[no-untyped-call]  # of SQLAlchemy
            rows: Sequence[DirectRow] = await prepared.fetch(*arguments)
            return rows
        except (asyncio.CancelledError, TimeoutError):
            self.connection.invalidate()
            raise
        except Exception as error:
            raise self._reported(statement, error) from error
        finally:
            self.database.durations.add(statement.sql, time.perf_counter() - began)

    @property
    def _pool(self) -> Pool:
        return cast("Pool", self.database.engine.pool)

    @property
    def _adapter(self) -> AsyncAdapt_asyncpg_connection:
        return cast("AsyncAdapt_asyncpg_connection", self.connection.dbapi_connection)

    async def _borrowed(self, attempts: int) -> PoolProxiedConnection:
        """Check out a connection. If the server has none left, wait for one of those that are
        open."""
        database, engine = self.database, self.database.engine.sync_engine
        await database.limiter.acquire(database.borrower)
        try:
            with replacing_read_only():
                connection = await checked_out(self._pool)
        except BaseException as error:
            database.limiter.release(database.borrower)
            if attempts > 1 and sqlstate(error) == TOO_MANY_CONNECTIONS and database.has_others():
                return await self._borrowed(attempts - 1)
            if isinstance(error, engine.dialect.loaded_dbapi.Error):
                Connection._handle_dbapi_exception_noconnection(error, engine.dialect, engine)
            raise
        if is_read_only(connection.driver_connection):
            self._give_back(connection)
            raise ReadOnly
        return connection

    def _give_back(self, connection: PoolProxiedConnection) -> None:
        connection.close()
        self.database.limiter.release(self.database.borrower)

    def _reported(self, statement: CompiledStatement, error: Exception) -> Exception:
        """The error as SQLAlchemy reports it. A connection that broke is closed, and with it those
        that are as old; one that is read-only is closed alone."""
        is_broken: bool = self._adapter._connection.is_closed()
        if is_broken:
            self.database.engine.sync_engine.pool._invalidate(self.connection, error)
        elif sqlstate(error) == READ_ONLY or not isinstance(error, PostgresError):
            self.connection.invalidate(error)
        return _wrapped(statement.sql, error, _dialect_of(self.database), is_broken)


class LoneWrite(WriteSession):
    """A session for one statement, which is a transaction of its own. Its parameters are those
    without a value, and its rows have no documents."""

    def __init__(self, connection: DirectConnection, audit_context: AuditContext) -> None:
        self.direct = connection
        self.audit_context = audit_context
        self.feeds = set()
        self.is_used = False

    def now(self) -> datetime:
        return self.direct.database.clock.now()

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[ResultRow]:
        if self.is_used:
            raise RuntimeError("The transaction of the only statement is over.")
        self.is_used = True
        values = cast("Mapping[str, object]", parameters)
        rows = await self.direct.execute(_compiled(self.direct.database, statement), values)
        return cast("Sequence[ResultRow]", rows)  # records take their values in order

    async def _execute(self, statement: Executable, _: Parameters | None = None) -> Rows:
        raise RuntimeError(f"This is no statement that returns rows: {statement}")


@asynccontextmanager
async def lone_write(database: Database, audit_context: AuditContext) -> AsyncIterator[LoneWrite]:
    """A session for one statement that needs no other beside it. Raises as `Database.write`."""
    with database.measuring(), domain_errors():
        async with DirectConnection(database) as connection:
            session = LoneWrite(connection, audit_context)
            yield session
    database.wakeups.notify(*session.feeds)


def _compiled(database: Database, statement: Executable) -> CompiledStatement:
    """Compiled once for each statement: they are few, each made once for a table."""
    if statement not in _statements:
        _statements[statement] = compile_write(database, cast("ClauseElement", statement))
    return _statements[statement]


_statements: dict[Executable, CompiledStatement] = {}


def _dialect_of(database: Database) -> PGDialect_asyncpg:
    return cast("PGDialect_asyncpg", database.engine.sync_engine.dialect)


def _wrapped(sql: str, error: Exception, dialect: PGDialect_asyncpg, is_broken: bool) -> Exception:
    dbapi = dialect.loaded_dbapi
    try:
        AsyncAdapt_asyncpg_connection._handle_exception_no_connection(dbapi, error)
    except dbapi.Error as adapted:
        return DBAPIError.instance(
            sql,
            None,
            adapted,
            dbapi.Error,
            hide_parameters=True,
            connection_invalidated=is_broken,
            dialect=dialect,
        )
    except Exception as unknown:
        return unknown
