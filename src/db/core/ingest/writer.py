"""Writer: rows that arrive too often for a transaction each, stored in batches.

An `IngestTarget` declares where one kind of row is stored. Its `BatchWriter` is a buffer with one
flush in flight. The next flush takes all rows that are pending then, so batches grow with the load
and no timer delays a caller. The first one takes those of half of the callers if there are many: if
it took all, the gateway and PostgreSQL would wait for each other. Only rows submitted without
waiting linger for a moment, to share a statement. A batch is one statement in autocommit: no client
can fail between its locks and its commit. After the commit, callers that wait get the error of each
row that was not stored.

The id of a row is fixed before the first attempt, and rows that exist are left unchanged. So a
batch whose connection was lost can be sent again and is stored once.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import ClauseElement
from sqlalchemy.exc import DBAPIError

from db.core.error_facts import summary
from db.core.errors import DomainError, Invalid, RateLimited, Unavailable
from db.core.ingest.pending import Errors, PendingBatch, PendingRow, PendingRows
from db.core.ingest.rows import IngestRow, RowValidator
from db.core.schema import partition
from db.core.session.compiled import CompiledStatement
from db.core.session.database import Database
from db.core.session.direct_writes import DirectConnection, compile_write
from db.core.session.pg_errors import domain_error_of, is_rolled_back
from db.core.table import Table

MAX_ROWS, MAX_BYTES = 20_000, 32 * 1024 * 1024  # pending or in flight, per writer
DEADLINE_SECONDS = 5.0
MANY_CALLERS = 8  # from which the first flush is for half of them
LINGER_SECONDS = 0.5  # of rows without a waiting caller, unless a flush starts earlier
RETRY_SECONDS = 0.05  # before the first retry; doubles with each
MAX_RETRY_SECONDS = 0.5
FIRST_GUESS = 0.0001  # seconds per row, before the first measurement

log = structlog.get_logger()


@dataclass(frozen=True, eq=False, slots=True)
class IngestTarget:
    """Where one kind of row is stored: the partitioned tables, the validator of rows, the statement
    that stores a batch (a JSON array in the parameter `items`), the feeds it writes to, the
    statement for batches of plain rows that were not sent before, if there is a shorter one, and
    what is called with each row that was stored for a caller."""

    name: str
    tables: tuple[type[Table], ...]
    validator: RowValidator
    statement: ClauseElement
    feeds: tuple[str, ...] = ()
    plain_statement: ClauseElement | None = None
    stored: Callable[[IngestRow], None] | None = None


class BatchWriter:
    """The buffer and the flushes of one target."""

    def __init__(self, target: IngestTarget, database: Database) -> None:
        self.target = target
        self.database = database.borrowed_by("ingestion")
        self.statement = compile_write(database, target.statement)
        plain = target.plain_statement
        self.plain_statement = self.statement if plain is None else compile_write(database, plain)
        self.pending = PendingRows()
        self.rows = self.bytes = 0
        self.flushing: asyncio.Task[None] | None = None
        self.lingering: asyncio.TimerHandle | None = None
        self.urgent = False  # whether a caller waits for a pending row
        self.seconds_per_row = FIRST_GUESS
        self.months: set[tuple[int, int]] = set()

    def put(self, rows: Sequence[IngestRow], done: Callable[[Errors], None]) -> None:
        """Buffer all rows or none, and call `done` when they are settled. Raises RateLimited if
        they do not fit."""
        size = sum(len(row.text) for row in rows)
        if self.rows + len(rows) > MAX_ROWS or self.bytes + size > MAX_BYTES:
            raise RateLimited(retry_after=self.rows * self.seconds_per_row)
        batch = PendingBatch(len(rows), done)
        deadline = time.monotonic() + DEADLINE_SECONDS
        self.pending.extend(PendingRow(row, batch, n, deadline) for n, row in enumerate(rows))
        self.rows += len(rows)
        self.bytes += size

    def flush(self) -> None:
        if self.lingering:
            self.lingering.cancel()
            self.lingering = None
        self.urgent = bool(self.pending)
        if self.urgent and self.flushing is None:
            # a context of its own: the request in its log lines would be one of many
            self.flushing = asyncio.create_task(self._flush(), context=Context())

    def flush_soon(self) -> None:
        if self.lingering is None and self.flushing is None:
            loop = asyncio.get_running_loop()
            self.lingering = loop.call_later(LINGER_SECONDS, self.flush)

    async def drain(self) -> None:
        self.flush()
        while self.flushing is not None:
            await asyncio.wait([self.flushing])

    async def _flush(self) -> None:
        try:
            callers = self.pending.callers
            if callers >= MANY_CALLERS:  # the others follow while these get their responses
                callers -= callers // 2
            while self.urgent:
                batch = self.pending.take(callers)
                self.urgent = bool(self.pending)
                await self._flush_once(batch)
                callers = MAX_ROWS
        finally:
            self.flushing = None
            if self.pending:
                self.flush_soon()

    async def _flush_once(self, batch: list[PendingRow]) -> None:
        began = time.monotonic()
        try:
            await self._store(batch)
        finally:
            self.rows -= len(batch)
            self.bytes -= sum(len(entry.row.text) for entry in batch)
            self.seconds_per_row = (time.monotonic() - began) / len(batch)

    async def _store(self, batch: list[PendingRow]) -> None:
        pause = RETRY_SECONDS
        while batch := self._in_time(batch):
            try:
                await self._send(batch)
            except Exception as error:
                if refused := refusal_of(error):
                    await self._refuse(batch, refused)
                    return
                self._fail(batch, error)
                await asyncio.sleep(min(pause, max(0, batch[0].deadline - time.monotonic())))
                pause = min(2 * pause, MAX_RETRY_SECONDS)
            else:
                self._settle(batch)
                return

    def _settle(self, batch: list[PendingRow]) -> None:
        """Report that a batch is stored: after the next one was sent, so that PostgreSQL does not
        wait for the responses."""
        if self.urgent:
            asyncio.get_running_loop().call_soon(_settle, batch)
        else:
            _settle(batch)

    def _in_time(self, batch: list[PendingRow]) -> list[PendingRow]:
        now = time.monotonic()
        if batch and batch[0].deadline > now:  # sorted by arrival, so the first is the oldest
            return batch
        for entry in batch:
            if entry.deadline <= now:
                entry.expire()
        return [entry for entry in batch if entry.deadline > now]

    async def _refuse(self, batch: list[PendingRow], refused: DomainError) -> None:
        if len(batch) == 1:
            batch[0].settle(refused)
            return
        middle = len(batch) // 2
        await self._store(batch[:middle])
        await self._store(batch[middle:])

    async def _send(self, batch: list[PendingRow]) -> None:
        """Store a batch and return after the commit. Raises the driver's errors."""
        async with asyncio.timeout(max(0, batch[0].deadline - time.monotonic())):
            await self._ensure_months(batch)
            text = b"[" + b",".join([entry.row.text for entry in batch]) + b"]"
            async with DirectConnection(self.database) as connection:
                with _outcome_unknown(batch):
                    await connection.execute(self._statement(batch), {"items": text.decode()})
        self.database.wakeups.notify(*self.target.feeds)

    def _statement(self, batch: Iterable[PendingRow]) -> CompiledStatement:
        is_plain = all(entry.row.is_plain and not entry.in_doubt for entry in batch)
        return self.plain_statement if is_plain else self.statement

    async def _ensure_months(self, batch: Iterable[PendingRow]) -> None:
        missing = {entry.row.month for entry in batch} - self.months
        if not missing:
            return
        times = [entry.row.at for entry in batch if entry.row.month in missing]
        for table in self.target.tables:
            async with self.database.write() as session:
                await partition.ensure(session, table, times)
        self.months |= missing

    def _fail(self, batch: list[PendingRow], error: Exception) -> None:
        """Record a failed attempt. A partition may have been dropped, so forget those known."""
        self.months.clear()
        last_error = domain_error_of(error)
        for entry in batch:
            entry.last_error = last_error
        log.warning("batch not stored yet", intake=self.target.name, error=summary(error))


class Ingestion:
    """The batch writers of this process, created on first use; none without a database."""

    def __init__(self, database: Database | None = None) -> None:
        self.database = database
        self.writers: dict[IngestTarget, BatchWriter] = {}
        self.closing = False

    async def submit(
        self, target: IngestTarget, rows: Sequence[IngestRow]
    ) -> Mapping[int, DomainError]:
        """Store rows; return the errors of those that were not stored, by position.

        Raises RateLimited and Unavailable before anything is accepted. Rows that were accepted are
        stored even if the caller is cancelled.
        """
        if not rows:
            return {}
        settled: asyncio.Future[Errors] = asyncio.get_running_loop().create_future()

        def done(errors: Errors) -> None:
            if not settled.done():  # cancelled by its caller
                settled.set_result(errors)

        self.put(target, rows, done)
        return await settled

    def put(
        self, target: IngestTarget, rows: Sequence[IngestRow], done: Callable[[Errors], None]
    ) -> None:
        """Accept rows to be stored at once, and call `done` with the errors of those that were not
        stored. Raises as `submit` does."""
        writer = self._writer(target)
        writer.put(rows, _reporting(target, rows, done))
        writer.flush()

    def submit_nowait(
        self,
        target: IngestTarget,
        rows: Sequence[IngestRow],
        done: Callable[[Errors], None] = lambda _: None,
    ) -> None:
        """Accept rows to be stored within a second, as `put` does."""
        writer = self._writer(target)
        writer.put(rows, done)
        writer.flush_soon()

    def now(self) -> datetime:
        """The time of the database. Raises Unavailable."""
        if self.database is None:
            raise Unavailable
        return self.database.clock.now()

    async def close(self) -> None:
        self.closing = True
        await asyncio.gather(*(writer.drain() for writer in self.writers.values()))

    def _writer(self, target: IngestTarget) -> BatchWriter:
        if self.closing or self.database is None:
            raise Unavailable("The gateway cannot accept items at the moment; retry shortly.")
        if target not in self.writers:
            self.writers[target] = BatchWriter(target, self.database)
        return self.writers[target]


def _reporting(
    target: IngestTarget, rows: Sequence[IngestRow], done: Callable[[Errors], None]
) -> Callable[[Errors], None]:
    """`done`, after which the target learns of the rows that were stored."""
    stored = target.stored
    if stored is None:
        return done

    def reporting(errors: Errors) -> None:
        done(errors)
        for index, row in enumerate(rows):
            if index not in errors:
                stored(row)

    return reporting


def _settle(batch: Iterable[PendingRow]) -> None:
    for entry in batch:
        entry.settle()


@contextmanager
def _outcome_unknown(batch: Sequence[PendingRow]) -> Iterator[None]:
    """Mark a batch in doubt if it fails after sending, unless PostgreSQL reported the failure."""
    try:
        yield
    except BaseException as error:
        for entry in batch:
            entry.in_doubt = entry.in_doubt or not is_rolled_back(error)
        raise


def refusal_of(error: Exception) -> DomainError | None:
    if isinstance(error, Invalid):  # a month that is in the archive
        return error
    if not isinstance(error, DBAPIError):
        return None
    refused = domain_error_of(error)
    return None if isinstance(refused, Unavailable) else refused
