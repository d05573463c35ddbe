"""Kept statements: a proof that statements outlive their transactions, where a pooler may not keep
them.

A statement is prepared in one transaction and executed in twenty, as the gateway does. Meanwhile
another client holds the connection of the server where it was prepared, for half of them.
"""

from asyncpg import DuplicatePreparedStatementError, InvalidSQLStatementNameError, PostgresError
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from db.core.connections import pooler
from db.core.connections.pool import driver
from db.core.connections.url import ConnectionInfo
from db.core.session.database import Database, ReadSession
from db.core.session.pg_errors import sqlstate

TRANSACTIONS = 20
PROOF = select(func.pg_backend_pid())
LOST = (InvalidSQLStatementNameError.sqlstate, DuplicatePreparedStatementError.sqlstate)


async def are_kept_at(url: ConnectionInfo) -> bool:
    """Whether statements last, named as the pooler of the URL asks for; without a pooler they do.
    Raises as sessions do."""
    database = Database(url, pool_size=2)
    try:
        async with database.read() as session:
            if await pooler.is_behind(session.connection):
                async with database.read() as other:
                    await _execute(session, other)
    except (DBAPIError, PostgresError) as error:
        if sqlstate(error) in LOST:
            return False
        raise
    finally:
        await database.close()
    return True


async def _execute(session: ReadSession, other: ReadSession) -> None:
    await session.scalar(PROOF)
    holding = await driver(other.connection)
    async with holding.transaction():
        await holding.execute("select 1")  # without a statement of its own
        for _ in range(TRANSACTIONS // 2):
            await session.scalar(PROOF)
    for _ in range(TRANSACTIONS // 2):
        await session.scalar(PROOF)
