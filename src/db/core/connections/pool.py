"""Pool: connections that are alive, and take writes where that is needed."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry

logging.getLogger(__name__).setLevel(logging.WARNING)  # where SQLAlchemy reports on this pool

READ_ONLY_SETTINGS = "in_hot_standby", "default_transaction_read_only"

_replaces_read_only: ContextVar[bool] = ContextVar("replaces_read_only", default=False)


class Pool(AsyncAdaptedQueuePool):
    """SQLAlchemy's, last in first out, which lends no connection that the server has ended.

    SQLAlchemy puts the record of a connection that could not be opened again back on top, where the
    next borrower finds it, while healthy ones lie below: here it is dropped.
    """

    def _do_get(self) -> ConnectionPoolEntry:
        record = super()._do_get()
        while _is_closed(record):
            record.invalidate()
            self._dec_overflow()
            record = super()._do_get()
        if _replaces_read_only.get() and is_read_only(record.driver_connection):
            record.invalidate()  # and is opened again by SQLAlchemy
        return record

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if record.dbapi_connection is None:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)


@contextmanager
def replacing_read_only() -> Iterator[None]:
    """Within it, a session that is read-only is replaced when it is lent: `default_…` stays as it
    was when the session began, however long the database has been taking writes again."""
    token = _replaces_read_only.set(True)
    try:
        yield
    finally:
        _replaces_read_only.reset(token)


async def driver(connection: AsyncConnection) -> Any:
    """The connection of asyncpg behind one of SQLAlchemy."""
    return (await connection.get_raw_connection()).driver_connection


def is_read_only(driver: Any) -> bool:
    """Whether writes fail over an open connection, as the server has reported: it does so at the
    start of a session and when that changes. A pooler may not pass it on."""
    if driver is None:
        return False
    settings = driver.get_settings()
    return any(getattr(settings, name, "off") == "on" for name in READ_ONLY_SETTINGS)


def _is_closed(record: ConnectionPoolEntry) -> bool:
    driver: Any = record.driver_connection
    return driver is not None and driver.is_closed()
