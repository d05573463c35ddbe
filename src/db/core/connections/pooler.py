"""Pooler: what stands between the gateway and PostgreSQL, and what it leaves usable.

A pooler in transaction mode lends a connection of the server for one transaction. The next one may
run on another, where a statement that was prepared by name is not known, unless the pooler keeps
account of names; and nothing that belongs to a session stays: LISTEN, session locks, SET.
"""

from enum import StrEnum
from typing import Any
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncConnection

IS_KEPT = "select exists (select from pg_prepared_statements where name = $1)"


class Pooler(StrEnum):
    """What kind of pooler there is; PREPARING is one in transaction mode that keeps account of
    prepared statements, and UNKNOWN is treated like TRANSACTION, which works everywhere."""

    NONE = "none"
    SESSION = "session"
    PREPARING = "preparing"
    TRANSACTION = "transaction"
    UNKNOWN = "unknown"

    @property
    def names_statements(self) -> bool:
        """Whether a statement that was prepared by name can be executed in later transactions."""
        return self not in (Pooler.TRANSACTION, Pooler.UNKNOWN)

    @property
    def keeps_sessions(self) -> bool:
        """Whether all transactions of a connection run in one session of the server."""
        return self in (Pooler.NONE, Pooler.SESSION)


async def find(connection: AsyncConnection) -> Pooler:
    """The pooler that a connection leads through; it may use named statements for nothing else.

    A pooler invents the process number that it tells its client. One in session mode looks like one
    in transaction mode that does not keep account of prepared statements.
    """
    driver: Any = (await connection.get_raw_connection()).driver_connection
    async with driver.transaction():
        if await driver.fetchval("select pg_backend_pid()") == driver.get_server_pid():
            return Pooler.NONE
        return await _behind(driver)


async def _behind(driver: Any) -> Pooler:
    """A pooler that keeps account of prepared statements gives them names of its own."""
    name = f"dreamnet_{uuid4().hex}"
    statement = await driver.prepare(IS_KEPT, name=name)
    if not await statement.fetchval(name):
        return Pooler.PREPARING
    await driver.execute(f'deallocate "{name}"')  # while it is this connection's turn there
    return Pooler.TRANSACTION
