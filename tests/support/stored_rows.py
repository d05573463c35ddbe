"""Stored rows: the contents of a database, and statements that bypass our own code."""

from typing import Any

from sqlalchemy import Executable, select

from db import Database
from db.core.table import Table


async def rows(database: Database, statement: Executable) -> list[Any]:
    """The rows of a statement, as plain tuples."""
    async with database.read() as session:
        return [tuple(row) for row in await session.rows(statement)]


async def seqs(database: Database, table: type[Table]) -> list[int]:
    """The numbers of the rows in a feed, in their order."""
    seq = table.__table__.c.seq
    return [number for (number,) in await rows(database, select(seq).order_by(seq))]


async def execute(database: Database, statement: Executable) -> None:
    """Execute a statement in its own transaction."""
    async with database.write() as session:
        await session.execute(statement)
