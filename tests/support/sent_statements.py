"""Sent statements: every SQL statement that a database is asked to execute, and its arguments."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from db import Database
from db.core.session.compiled import CompiledStatement
from db.core.session.direct_writes import DirectConnection
from graph.core.execution.plan import run

Note = Callable[[str, Any], None]


@contextmanager
def noting(database: Database, note: Note) -> Iterator[None]:
    """Call `note` with the text and the arguments of each statement, BEGIN and COMMIT aside.

    SQLAlchemy tells its own statements. Direct reads and writes pass by it, so the functions that
    send them are wrapped.
    """

    def before(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        note(statement, parameters)

    async def fetch(
        asked: Database, statement: CompiledStatement, parameters: Mapping[str, object]
    ) -> Sequence[Any]:
        if asked.engine is database.engine:
            note(statement.sql, statement.arguments(parameters))
        return await fetched(asked, statement, parameters)

    async def write(
        connection: DirectConnection, statement: CompiledStatement, parameters: Mapping[str, object]
    ) -> Sequence[Any]:
        if connection.database.engine is database.engine:
            note(statement.sql, statement.arguments(parameters))
        return await written(connection, statement, parameters)

    engine, fetched, written = database.engine.sync_engine, run.fetch, DirectConnection.execute
    event.listen(engine, "before_cursor_execute", before)
    run.fetch, DirectConnection.execute = fetch, write
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", before)
        run.fetch, DirectConnection.execute = fetched, written
