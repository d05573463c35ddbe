"""Pool: a connection pool that replaces closed and read-only connections."""

import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import cast

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.pool.base import _ConnectionRecord

from db.core.connections.pooler import DriverConnection

logging.getLogger(__name__).setLevel(logging.WARNING)  # SQLAlchemy's log of this pool

OPENED = "opened"  # key of the info of connections: when, on the monotonic clock
RESERVED_SECONDS = 0.02  # that a connection is kept for the next read
READ_ONLY_SETTINGS = "in_hot_standby", "default_transaction_read_only"

_replaces_read_only: ContextVar[bool] = ContextVar("replaces_read_only", default=False)


class NoneIdle(Exception):
    """No open connection of a pool is idle."""


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, last in first out, without connections that the server has closed.

    SQLAlchemy returns the record of a connection that could not be reopened to the top of the pool,
    above healthy ones. This pool drops it.

    What SQLAlchemy does to check a connection out and in takes as long as the rest of a short read.
    So a connection that was used in autocommit is reserved for the next statement of the kind, for
    a moment or until a connection is checked out in the ordinary way.
    """

    wants_idle = False
    is_disposed = False
    timer: asyncio.TimerHandle | None = None  # of reserved connections

    def connect_idle(self) -> PoolProxiedConnection:
        """Check out an open connection that is idle, without waiting and without a greenlet. Raises
        NoneIdle."""
        if self.reserved:
            connection = self.reserved.pop()
            if not self._is_stale(cast("ConnectionPoolEntry", connection._connection_record)):
                return connection
            connection.close()
        self.wants_idle = True
        try:
            return self.connect()
        finally:
            self.wants_idle = False

    def reserve(self, connection: PoolProxiedConnection) -> None:
        """Give back a connection that is in no transaction."""
        self.reserved.append(connection)
        if self.timer is None:
            self.timer = asyncio.get_running_loop().call_later(
                RESERVED_SECONDS, self._check_in_late
            )

    def check_in(self) -> None:
        """Check in the reserved connections."""
        while self.reserved:
            self.reserved.pop().close()

    def _check_in_late(self) -> None:
        self.timer = None
        self.check_in()

    @cached_property
    def reserved(self) -> list[PoolProxiedConnection]:
        return []

    def dispose(self) -> None:
        self.check_in()
        self.is_disposed = True
        super().dispose()

    def _do_get(self) -> ConnectionPoolEntry:
        if self.wants_idle:
            return self._idle()
        self.check_in()
        record = super()._do_get()
        while _is_closed(record):
            record.invalidate()
            self._dec_overflow()
            record = super()._do_get()
        if _replaces_read_only.get() and is_read_only(record.driver_connection):
            record.invalidate()  # SQLAlchemy reopens it
        return record

    def _idle(self) -> ConnectionPoolEntry:
        if not self.checkedin():
            raise NoneIdle
        record = self._pool.get(block=False)
        if self._is_stale(record):
            self._pool.put(record, block=False)
            raise NoneIdle
        return record

    def _is_stale(self, record: ConnectionPoolEntry) -> bool:
        """True if the connection would be opened again."""
        if record.dbapi_connection is None or _is_closed(record):
            return True
        if _replaces_read_only.get() and is_read_only(record.driver_connection):
            return True
        is_invalid = self._invalidate_time > cast("_ConnectionRecord", record).last_connect_time
        return is_invalid or time.monotonic() - record.info[OPENED] > self._recycle

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if self.is_disposed:
            record.invalidate()  # no one would close it any more
        if record.dbapi_connection is None:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)


@contextmanager
def replacing_read_only() -> Iterator[None]:
    """Reopen read-only sessions on checkout: `default_transaction_read_only` keeps the value of the
    start of the session, even when the database accepts writes again."""
    token = _replaces_read_only.set(True)
    try:
        yield
    finally:
        _replaces_read_only.reset(token)


async def driver(connection: AsyncConnection) -> DriverConnection:
    return (await connection.get_raw_connection()).driver_connection


def is_read_only(driver: DriverConnection) -> bool:
    """True if the server has reported that the session is read-only. It reports at the start of a
    session and on changes; a pooler may not forward that."""
    if driver is None:
        return False
    settings = driver.get_settings()
    return any(getattr(settings, name, "off") == "on" for name in READ_ONLY_SETTINGS)


def _is_closed(record: ConnectionPoolEntry) -> bool:
    driver: DriverConnection = record.driver_connection
    return driver is not None and driver.is_closed()
