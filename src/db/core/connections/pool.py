"""Pool: a connection pool that replaces closed and read-only connections."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

from db.core.connections.pooler import DriverConnection

logging.getLogger(__name__).setLevel(logging.WARNING)  # SQLAlchemy's log of this pool

READ_ONLY_SETTINGS = "in_hot_standby", "default_transaction_read_only"

_replaces_read_only: ContextVar[bool] = ContextVar("replaces_read_only", default=False)


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool, last in first out, without connections that the server has closed.

    SQLAlchemy returns the record of a connection that could not be reopened to the top of the pool,
    above healthy ones. This pool drops it.
    """

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        while _is_closed(record):
            record.invalidate()
            self._dec_overflow()
            record = super()._do_get()
        if _replaces_read_only.get() and is_read_only(record.driver_connection):
            record.invalidate()  # SQLAlchemy reopens it
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
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
