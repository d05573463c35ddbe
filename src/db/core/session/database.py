"""Database: one PostgreSQL, and the sessions borrowed from its pool.

A session is borrowed for one batch or one operation and never shared. Leaving `write()` commits,
and an exception rolls back.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import cast

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.core.connections.meter import METERED, Meter, Metered
from db.core.connections.pool import Pool, driver, is_read_only, replacing_read_only
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.durations import StatementDurations
from db.core.errors import DomainError, ReadOnly
from db.core.session.audit_context import SYSTEM, AuditContext
from db.core.session.clock import Clock
from db.core.session.connection_shares import Borrower, Limiter
from db.core.session.engine import pooled_engine
from db.core.session.gathered import GatheredReads
from db.core.session.pg_errors import TOO_MANY_CONNECTIONS, domain_errors, sqlstate
from db.core.session.recorder import Recorder
from db.core.session.row_rules import UNRESTRICTED, Visibility
from db.core.session.sessions import (
    STATEMENT_SECONDS as STATEMENT_SECONDS,
    TIMEOUTS as TIMEOUTS,
    Parameters as Parameters,
    ReadSession as ReadSession,
    ResultRow as ResultRow,
    Rows as Rows,
    WriteSession as WriteSession,
)
from db.core.session.wakeups import Wakeups
from db.core.timeouts import Timeouts

LOCK_SECONDS = 3.0  # more than a migration waits for a lock that readers hold


class Database:
    """One PostgreSQL: `read()` in autocommit, `write()` in a transaction.

    Statements wait up to `lock_seconds` for a lock (None: without limit) and are limited by
    `timeouts`. With `one_plan`, each is planned once per connection.
    """

    def __init__(
        self,
        url: str | ConnectionInfo,
        pool_size: int = 10,
        lock_seconds: float | None = LOCK_SECONDS,
        clock: Clock | None = None,
        timeouts: Timeouts = TIMEOUTS,
        one_plan: bool = False,
    ) -> None:
        """Raises InvalidParameter."""
        self.url = connection_info(url)
        self.timeouts = timeouts
        self.engine = pooled_engine(self.url, pool_size, lock_seconds, timeouts, one_plan)
        self.clock = clock or Clock()
        self.clock.follow(self.engine)
        self.reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        self.frozen = self.engine.execution_options(
            isolation_level="REPEATABLE READ", postgresql_readonly=True
        )
        self.limiter = Limiter(pool_size)
        self.borrower = Borrower("gateway")
        self.meter: Meter | None = None
        self.recorder: Recorder | None = None
        self.durations = StatementDurations()
        self.visibility = UNRESTRICTED
        self.wakeups = Wakeups()
        self.gathered = GatheredReads()
        self.refused_writes = asyncio.Event()  # set when the database refused a write: read-only

    def scoped_to(self, visibility: Visibility, meter: Meter | None = None) -> "Database":
        return self._with(visibility=visibility, meter=meter or self.meter)

    def replica(self, info: ConnectionInfo) -> "Database":
        """A standby of this database, at the same time and with the same timeouts."""
        replica = Database(info, self.limiter.size, timeouts=self.timeouts)
        self.clock.lend(replica.engine)
        replica.clock = self.clock
        return replica

    def at(self, replica: "Database") -> "Database":
        """The same sessions on a replica."""
        return replica._with(
            visibility=self.visibility,
            meter=self.meter,
            borrower=self.borrower,
            recorder=self.recorder,
        )

    def unrestricted(self) -> "Database":
        """The same database with sessions without row rules, for the gateway's own work."""
        return self.scoped_to(UNRESTRICTED)

    def borrowed_by(
        self, name: str, operation: str | None = None, known: bool = True
    ) -> "Database":
        return self._with(borrower=Borrower(name, operation, known))

    def metered(self, meter: Meter | None) -> "Database":
        return self._with(meter=meter)

    def recorded_by(self, recorder: Recorder) -> "Database":
        return self._with(recorder=recorder)

    def _with(self, **changes: object) -> "Database":
        changed = object.__new__(Database)
        changed.__dict__ = {**self.__dict__, **changes}
        return changed

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Borrow a connection in autocommit. Raises the errors of `pg_errors`, Unavailable when
        no connection is free in time, and TooLarge or Crowded."""

        async def reopen() -> AsyncConnection:
            await stack.aclose()
            return await self._open(stack, self.reading)

        with self.measuring(), domain_errors():
            async with AsyncExitStack() as stack:
                connection = await self._open(stack, self.reading)
                session = ReadSession(connection, self.visibility, reopen, self.timeouts)
                session.recorder, session.durations = self.recorder, self.durations
                yield session

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[ReadSession]:
        """Borrow a connection in a transaction that cannot write, and reads one snapshot of the
        database. Raises as `read` does."""
        with self.measuring(), domain_errors():
            async with AsyncExitStack() as stack:
                connection = await self._open(stack, self.frozen)
                await stack.enter_async_context(connection.begin())
                yield ReadSession(connection, self.visibility, timeouts=self.timeouts)

    @asynccontextmanager
    async def write(self, audit_context: AuditContext = SYSTEM) -> AsyncIterator[WriteSession]:
        """Open a transaction: commit on leaving, roll back on an exception. Raises as `read` does,
        and ReadOnly."""
        with self.noting_refusals(), self.measuring(), domain_errors():
            async with self._writable(self.engine) as connection, connection.begin():
                session = WriteSession(connection, self.visibility, audit_context)
                session.recorder, session.durations = self.recorder, self.durations
                yield session
        self.wakeups.notify(*session.feeds)
        for call in session.after_commit:
            call()

    @asynccontextmanager
    async def autocommit(self) -> AsyncIterator[AsyncConnection]:
        """A connection for statements that write, each in a transaction of its own. Raises the
        driver's errors, Unavailable, and ReadOnly before anything was sent."""
        with self.noting_refusals():
            async with self._writable(self.reading) as connection:
                yield connection

    async def now(self) -> datetime:
        """The time of the database; connects only if it was never connected to. Raises
        Unavailable."""
        if not self.clock.is_set:
            async with self.read():
                pass
        return self.clock.now()

    async def read_clock(self) -> None:
        """Set the clock from the database. Raises as `read` does."""
        async with self.read() as session:
            asked = self.clock.ticks()
            at = await session.scalar(select(func.clock_timestamp()))
            self.clock.set(at, asked, self.clock.ticks())

    async def close(self) -> None:
        await self.engine.dispose()

    @asynccontextmanager
    async def _writable(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            with replacing_read_only():
                connection = await self._open(stack, engine)
            if is_read_only(await driver(connection)):
                raise ReadOnly
            yield connection

    async def _open(
        self, stack: AsyncExitStack, engine: AsyncEngine, attempts: int = 3
    ) -> AsyncConnection:
        """Enter a connection into the stack. If the server has none left, wait for one of those
        that are open."""
        if self.meter:
            self.meter.check()
        await self.limiter.acquire(self.borrower)
        stack.callback(self.limiter.release, self.borrower)
        try:
            connection = await stack.enter_async_context(engine.connect())
            stack.enter_context(self._metering(connection))
            return connection
        except DBAPIError as error:
            if sqlstate(error) != TOO_MANY_CONNECTIONS or not attempts or not self.has_others():
                raise
        await stack.aclose()
        return await self._open(stack, engine, attempts - 1)

    @contextmanager
    def _metering(self, connection: AsyncConnection) -> Iterator[None]:
        metered: Metered = connection.info[METERED]
        metered.meter = self.meter
        try:
            yield
        finally:
            metered.meter = None

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Raises TooLarge instead of the error of a connection closed for that reason."""
        try:
            yield
        except (DomainError, DBAPIError):
            if self.meter:
                self.meter.check()
            raise

    @property
    def idle_connections(self) -> int:
        return cast("Pool", self.engine.pool).checkedin()

    def has_others(self) -> bool:
        return self.idle_connections > 0 or self.limiter.narrow()

    @contextmanager
    def noting_refusals(self) -> Iterator[None]:
        try:
            yield
        except ReadOnly:
            self.refused_writes.set()
            raise
