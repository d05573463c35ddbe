"""Database: the engines, and the two kinds of session borrowed from them.

A session is borrowed for one batch or one operation and never shared: one connection carries one
statement at a time. Nobody commits: leaving `write()` does, and an exception rolls back.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from copy import copy
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from db.core import json
from db.core.act import SYSTEM, Act
from db.core.connect import engine
from db.core.failures import translated
from db.core.hints import Hints
from db.core.sight import EVERYTHING, Sight, limited, rules
from db.core.table import Table
from db.core.url import ConnectionInfo, connection_info

STATEMENT_SECONDS = 10
POOL_SECONDS = 2
READING: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}


class ReadSession:
    """A borrowed connection that reads what its sight allows; each statement is one round trip."""

    def __init__(self, connection: AsyncConnection, sight: Sight = EVERYTHING) -> None:
        self.connection = connection
        self.rules = rules(sight)

    async def rows(self, statement: Executable, parameters: Any | None = None) -> Sequence[Any]:
        """All rows of a statement."""
        return (await self._execute(statement, parameters)).all()

    async def records(
        self, table: type[Table], statement: Executable, parameters: Any | None = None
    ) -> list[Any]:
        """All rows of a statement built on `table.select()`, as that table's records."""
        return table.records(await self.rows(statement, parameters))

    async def record(self, table: type[Table], statement: Executable) -> Any | None:
        """The first record, or None."""
        return next(iter(await self.records(table, statement)), None)

    async def scalar(self, statement: Executable) -> Any:
        """The first column of the first row, or None."""
        return (await self._execute(statement)).scalar()

    async def _execute(
        self, statement: Executable, parameters: Any | None = None
    ) -> CursorResult[Any]:
        """A read that meets a dead connection is repeated once on a live one."""
        statement = limited(statement, self.rules)
        try:
            return await self.connection.execute(statement, parameters)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            await self.connection.rollback()
            await self.connection.execution_options(**READING)  # lost with the connection
            return await self.connection.execute(statement, parameters)


class WriteSession(ReadSession):
    """A borrowed connection inside one transaction; reads in it see what it wrote. `act` says what
    is being done and by whom; `feeds` names those that get something of it."""

    def __init__(
        self, connection: AsyncConnection, sight: Sight = EVERYTHING, act: Act = SYSTEM
    ) -> None:
        super().__init__(connection, sight)
        self.act = act
        self.feeds: set[str] = set()

    async def execute(self, statement: Executable, parameters: Any | None = None) -> int:
        """Runs a statement that writes; returns the number of rows it touched."""
        return (await self._execute(statement, parameters)).rowcount

    async def _execute(
        self, statement: Executable, parameters: Any | None = None
    ) -> CursorResult[Any]:
        """Never repeated: the transaction it belonged to is gone with its connection."""
        return await self.connection.execute(limited(statement, self.rules), parameters)


class Database:
    """One PostgreSQL: `read()` in autocommit, `write()` in a transaction."""

    def __init__(self, url: str | ConnectionInfo, pool_size: int = 10) -> None:
        """Raises InvalidParameter."""
        self.url = connection_info(url)
        self.engine: AsyncEngine = engine(
            self.url,
            command_timeout=STATEMENT_SECONDS,
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
            pool_recycle=1800,
            pool_use_lifo=True,
            json_serializer=lambda value: json.dumps(value).decode(),
            json_deserializer=json.loads,
        )
        self.reading = self.engine.execution_options(**READING)
        self.sight = EVERYTHING
        self.hints = Hints()

    def seen_by(self, sight: Sight) -> "Database":
        """The same database, whose sessions see no more than that."""
        seen = copy(self)
        seen.sight = sight
        return seen

    @asynccontextmanager
    async def read(self) -> AsyncIterator[ReadSession]:
        """Raises the domain errors of `failures`, Unavailable when nobody answers in time."""
        with translated():
            async with self.reading.connect() as connection:
                yield ReadSession(connection, self.sight)

    @asynccontextmanager
    async def write(self, act: Act = SYSTEM) -> AsyncIterator[WriteSession]:
        """Commits on leaving, rolls back on an exception. Raises as `read` does."""
        with translated():
            async with self.engine.begin() as connection:
                session = WriteSession(connection, self.sight, act)
                yield session
        self.hints.say(*session.feeds)

    async def close(self) -> None:
        """Closes every pooled connection."""
        await self.engine.dispose()
