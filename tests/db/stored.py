"""Stored: what a database holds."""

from typing import Any

from sqlalchemy import Executable

from db import Database


async def rows(database: Database, statement: Executable) -> list[Any]:
    """What a statement finds, as plain tuples."""
    async with database.read() as session:
        return [tuple(row) for row in await session.rows(statement)]
