"""Pooler: the kind of pooler between the gateway and PostgreSQL, and the features it supports.

A pooler in transaction mode assigns a server connection for one transaction. The next transaction
may use another, which does not know statements prepared by name, unless the pooler tracks them.
Session state is lost as well: LISTEN, session locks, SET.
"""

from enum import StrEnum
from typing import TypeAlias
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

DriverConnection: TypeAlias = asyncpg.Connection  # asyncpg has no type information

IS_KEPT = "select exists (select from pg_prepared_statements where name = $1)"


class Pooler(StrEnum):
    """The kind of pooler. PREPARING is transaction mode with tracked prepared statements. UNKNOWN
    is treated as TRANSACTION, which works everywhere."""

    NONE = "none"
    SESSION = "session"
    PREPARING = "preparing"
    TRANSACTION = "transaction"
    UNKNOWN = "unknown"

    @property
    def names_statements(self) -> bool:
        return self not in (Pooler.TRANSACTION, Pooler.UNKNOWN)

    @property
    def keeps_sessions(self) -> bool:
        return self in (Pooler.NONE, Pooler.SESSION)


async def find(connection: AsyncConnection) -> Pooler:
    """Detect the pooler of a connection, which must not use named statements otherwise.

    A pooler reports a backend pid of its own. Session mode is not distinguishable from transaction
    mode without tracked statements.
    """
    if not await is_behind(connection):
        return Pooler.NONE
    driver: DriverConnection = (await connection.get_raw_connection()).driver_connection
    async with driver.transaction():
        return await _behind(driver)


async def is_behind(connection: AsyncConnection) -> bool:
    """Whether a pooler is between: it reports a process of the server that is not there."""
    driver: DriverConnection = (await connection.get_raw_connection()).driver_connection
    async with driver.transaction():
        pid = await driver.fetchval("select pg_backend_pid()")
    return bool(pid != driver.get_server_pid())


async def _behind(driver: DriverConnection) -> Pooler:
    """A pooler that tracks prepared statements renames them."""
    name = f"dreamnet_{uuid4().hex}"
    statement = await driver.prepare(IS_KEPT, name=name)
    if not await statement.fetchval(name):
        return Pooler.PREPARING
    await driver.execute(f'deallocate "{name}"')  # within the same transaction
    return Pooler.TRANSACTION
