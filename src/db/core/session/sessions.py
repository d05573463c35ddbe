"""Sessions: a borrowed connection that reads, and one that writes.

A session is borrowed for one batch or one operation and never shared: a connection executes one
statement at a time.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from db.core.connections.unnamed import planning_for_values
from db.core.durations import StatementDurations
from db.core.session.audit_context import SYSTEM, AuditContext
from db.core.session.clock import CLOCK, Clock
from db.core.session.recorder import EXPLAIN, Recorder, plan_text
from db.core.session.row_rules import UNRESTRICTED, Visibility, row_rules, with_row_rules
from db.core.table import TableT
from db.core.timeouts import Timeouts, is_for_values

STATEMENT_SECONDS = 10.0
TIMEOUTS = Timeouts(other=STATEMENT_SECONDS)

# The types of these columns are known only at run time.
ResultRow = Row[*tuple[Any, ...]]
Rows = CursorResult[*tuple[Any, ...]]
Parameters = Mapping[str, object] | Sequence[Mapping[str, object]]


class ReadSession:
    """A borrowed connection that reads the rows its visibility allows, one round trip per
    statement. `reopen` returns a connection to replace a broken one."""

    is_explained = True  # if plans are asked for

    def __init__(
        self,
        connection: AsyncConnection,
        visibility: Visibility = UNRESTRICTED,
        reopen: Callable[[], Awaitable[AsyncConnection]] | None = None,
        timeouts: Timeouts = TIMEOUTS,
    ) -> None:
        self.connection = connection
        self.rules = row_rules(visibility)
        self.reopen = reopen
        self.timeouts = timeouts
        self.recorder: Recorder | None = None
        self.durations: StatementDurations | None = None

    async def rows(
        self, statement: Executable, parameters: Parameters | None = None
    ) -> Sequence[ResultRow]:
        return (await self._execute(statement, parameters)).all()

    async def records(
        self, table: type[TableT], statement: Executable, parameters: Parameters | None = None
    ) -> list[TableT]:
        return table.records(await self.rows(statement, parameters))

    async def record(self, table: type[TableT], statement: Executable) -> TableT | None:
        return next(iter(await self.records(table, statement)), None)

    async def scalar(self, statement: Executable) -> Any:  # of the type of the column
        return (await self._execute(statement)).scalar()

    async def batches(self, statement: Executable, size: int) -> AsyncIterator[Sequence[ResultRow]]:
        """The rows of a statement, from a cursor of the server; only within a transaction."""
        rows = await self.connection.stream(with_row_rules(statement, self.rules))
        async for batch in rows.partitions(size):
            yield batch

    def now(self) -> datetime:
        clock: Clock = self.connection.info[CLOCK]
        return clock.now()

    async def _execute(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        """Execute; repeat once on a new connection if this one is dead. Raises TookTooLong."""
        statement = with_row_rules(statement, self.rules)
        async with self.timeouts.limiting(statement):
            with planning_for_values(is_for_values(statement)):
                return await self._execute_again(statement, parameters)

    async def _execute_again(self, statement: Executable, parameters: Parameters | None) -> Rows:
        try:
            return await self._send(statement, parameters)
        except DBAPIError as error:
            if not error.connection_invalidated or self.reopen is None:
                raise
            self.connection = await self.reopen()
            return await self._send(statement, parameters)

    async def _send(self, statement: Executable, parameters: Parameters | None) -> Rows:
        if self.recorder is None:
            return await self._timed(statement, parameters)
        with self.recorder.sending() as sent:
            rows = await self._timed(statement, parameters)
            sent.sql = rows.context.statement or ""
            sent.rows = rows.rowcount if rows.rowcount >= 0 else None
        if self.is_explained and self.recorder.takes_plan(sent):
            arguments = tuple(cast("Sequence[object]", rows.context.parameters[0]))
            plan = await self.connection.exec_driver_sql(EXPLAIN + sent.sql, arguments)
            sent.plan = plan_text(plan.all())
        return rows

    async def _timed(self, statement: Executable, parameters: Parameters | None) -> Rows:
        began, sql = time.perf_counter(), ""
        try:
            rows = await self.connection.execute(statement, parameters)
            sql = rows.context.statement or ""
            return rows
        except DBAPIError as error:
            sql = error.statement or ""
            raise
        finally:
            if self.durations is not None:
                self.durations.add(sql, time.perf_counter() - began)


class WriteSession(ReadSession):
    """A borrowed connection inside one transaction. `feeds` are the names of the feeds that it
    writes to, to be notified after the commit; then `after_commit` is called."""

    is_explained = False  # a failure would end the transaction

    def __init__(
        self,
        connection: AsyncConnection,
        visibility: Visibility = UNRESTRICTED,
        audit_context: AuditContext = SYSTEM,
    ) -> None:
        super().__init__(connection, visibility)
        self.audit_context = audit_context
        self.feeds: set[str] = set()
        self.after_commit: list[Callable[[], None]] = []

    def unrestricted(self) -> "WriteSession":
        """The same transaction without row rules, for side effects on rows of other users."""
        unrestricted = WriteSession(self.connection, audit_context=self.audit_context)
        unrestricted.feeds, unrestricted.recorder = self.feeds, self.recorder
        unrestricted.durations = self.durations
        unrestricted.after_commit = self.after_commit
        return unrestricted

    async def execute(self, statement: Executable, parameters: Parameters | None = None) -> int:
        return (await self._execute(statement, parameters)).rowcount

    async def _execute(self, statement: Executable, parameters: Parameters | None = None) -> Rows:
        """Execute, without repeating: the transaction is lost with its connection."""
        return await self._send(with_row_rules(statement, self.rules), parameters)
