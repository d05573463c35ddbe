"""Ingestion: what arrives faster than one transaction each could take, stored in batches.

An intake says where one kind of item goes. Its lane is a buffer with one flush in flight; the next
flush takes what waited meanwhile, so batches grow with the load and nobody waits for a timer; only
items that nobody waits for linger a while, or each of them would cost a statement of its own. A
batch is one statement in autocommit: no client can die between its locks and its commit. Whoever
hands in items learns what became of each after the commit.

The id of an item is decided before the first attempt and a row that is there already is left alone.
So a batch whose connection was lost is sent again, and however often it arrives it is stored once.
"""

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from datetime import datetime

import structlog
from sqlalchemy import Executable
from sqlalchemy.exc import DBAPIError

from db.core.error_facts import summary
from db.core.errors import DomainError, OutcomeUnknown, RateLimited, Unavailable
from db.core.ingest.rows import IngestRow, RowValidator
from db.core.schema import partition
from db.core.session.database import Database
from db.core.session.pg_errors import domain_error_of, is_rolled_back
from db.core.table import Table

MAX_ROWS, MAX_BYTES = 20_000, 32 * 1024 * 1024  # that wait or are in flight, per lane
BATCH_ROWS, BATCH_BYTES = 2_000, 4 * 1024 * 1024
DEADLINE_SECONDS = 5.0
LINGER_SECONDS = 0.5  # of what nobody waits for, unless something else goes out before
AGAIN_SECONDS = 0.05  # until a batch is sent again, at first; then twice as long each time
LONGEST_PAUSE = 0.5
FIRST_GUESS = 0.0001  # seconds per row, before anything was measured

log = structlog.get_logger()


@dataclass(frozen=True, eq=False, slots=True)
class IngestTarget:
    """Where one kind of item goes: the partitioned tables, and the statement that stores a batch,
    given as the text of a JSON array in the parameter `items`; `rules` check items beforehand, and
    `feeds` names those that get something of it."""

    name: str
    tables: tuple[type[Table], ...]
    rules: RowValidator
    statement: Executable
    feeds: tuple[str, ...] = ()


@dataclass(eq=False, slots=True)
class PendingBatch:
    """What was handed in together; `errors` says by position what was not stored, and why."""

    size: int
    done: asyncio.Future[None]
    errors: dict[int, DomainError] = field(default_factory=dict)
    settled: int = 0

    def settle(self, position: int, error: DomainError | None) -> None:
        """Notes what became of one item; the last one ends the waiting."""
        if error:
            self.errors[position] = error
        self.settled += 1
        if self.settled == self.size and not self.done.done():  # done: nobody waits any more
            self.done.set_result(None)


@dataclass(eq=False, slots=True)
class PendingRow:
    """One item in a lane, with the moment after which its parcel is told something in any case.

    `in_doubt` is whether an attempt failed that may have stored it, `obstacle` why the last attempt
    failed.
    """

    item: IngestRow
    pending: PendingBatch
    position: int
    until: float
    in_doubt: bool = False
    obstacle: DomainError | None = None

    def settle(self, error: DomainError | None = None) -> None:
        self.pending.settle(self.position, error)

    def expire(self) -> None:
        """The time is up."""
        self.settle(OutcomeUnknown() if self.in_doubt else self.obstacle or Unavailable())


class BatchWriter:
    """The buffer and the flushes of one intake."""

    def __init__(self, intake: IngestTarget, database: Database) -> None:
        self.intake = intake
        self.database = database.borrowed_by("ingestion")
        self.waiting: deque[PendingRow] = deque()
        self.rows = self.bytes = 0
        self.flushing: asyncio.Task[None] | None = None
        self.lingering: asyncio.TimerHandle | None = None
        self.urgent = False  # whether somebody waits for what waits
        self.seconds_per_row = FIRST_GUESS
        self.months: set[tuple[int, int]] = set()

    def put(self, items: Sequence[IngestRow]) -> PendingBatch:
        """Takes all items or none. Raises RateLimited when they do not fit."""
        size = sum(len(item.text) for item in items)
        if self.rows + len(items) > MAX_ROWS or self.bytes + size > MAX_BYTES:
            raise RateLimited(retry_after=self.rows * self.seconds_per_row)
        pending = PendingBatch(len(items), asyncio.get_running_loop().create_future())
        until = time.monotonic() + DEADLINE_SECONDS
        self.waiting.extend(PendingRow(item, pending, n, until) for n, item in enumerate(items))
        self.rows += len(items)
        self.bytes += size
        return pending

    def flush(self) -> None:
        """Sends what waits."""
        if self.lingering:
            self.lingering.cancel()
            self.lingering = None
        self.urgent = bool(self.waiting)
        if self.urgent and self.flushing is None:
            # a context of its own, or its log lines would bear the name of one request of many
            self.flushing = asyncio.create_task(self._flush(), context=Context())

    def flush_soon(self) -> None:
        """Sends what waits together with what comes in the meantime."""
        if self.lingering is None and self.flushing is None:
            loop = asyncio.get_running_loop()
            self.lingering = loop.call_later(LINGER_SECONDS, self.flush)

    async def drain(self) -> None:
        """Returns when everything taken is settled, which takes no longer than the deadline."""
        self.flush()
        while self.flushing is not None:
            await asyncio.wait([self.flushing])

    async def _flush(self) -> None:
        try:
            while self.urgent:
                await self._flush_once(self._next_batch())
        finally:
            self.flushing = None
            if self.waiting:
                self.flush_soon()

    def _next_batch(self) -> list[PendingRow]:
        batch: list[PendingRow] = []
        size = 0
        while self.waiting and len(batch) < BATCH_ROWS and size < BATCH_BYTES:
            batch.append(self.waiting.popleft())
            size += len(batch[-1].item.text)
        self.urgent = bool(self.waiting)
        return batch

    async def _flush_once(self, batch: list[PendingRow]) -> None:
        began = time.monotonic()
        try:
            await self._store(batch)
        finally:
            self.rows -= len(batch)
            self.bytes -= sum(len(entry.item.text) for entry in batch)
            self.seconds_per_row = (time.monotonic() - began) / len(batch)

    async def _store(self, batch: list[PendingRow]) -> None:
        """Settles every entry: stored, refused, or out of time."""
        pause = AGAIN_SECONDS
        while batch := self._in_time(batch):
            try:
                await self._send(batch)
            except Exception as error:
                if refused := refusal_of(error):
                    await self._refuse(batch, refused)
                    return
                self._fail(batch, error)
                await asyncio.sleep(min(pause, max(0, batch[0].until - time.monotonic())))
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                for entry in batch:
                    entry.settle()
                return

    def _in_time(self, batch: list[PendingRow]) -> list[PendingRow]:
        """Those of a batch whose time is not up; the others are settled."""
        now = time.monotonic()
        if batch and batch[0].until > now:  # in the order of arrival, so the first is the oldest
            return batch
        for entry in batch:
            if entry.until <= now:
                entry.expire()
        return [entry for entry in batch if entry.until > now]

    async def _refuse(self, batch: list[PendingRow], refused: DomainError) -> None:
        """A statement is refused whole for one bad row: halves are tried until it is found."""
        if len(batch) == 1:
            batch[0].settle(refused)
            return
        middle = len(batch) // 2
        await self._store(batch[:middle])
        await self._store(batch[middle:])

    async def _send(self, batch: list[PendingRow]) -> None:
        """Returns once a batch is committed. Raises what the driver raises."""
        async with asyncio.timeout(max(0, batch[0].until - time.monotonic())):
            await self._ensure_months(batch)
            text = b"[" + b",".join([entry.item.text for entry in batch]) + b"]"
            async with self.database.autocommit() as connection:
                with _outcome_unknown(batch):
                    await connection.execute(self.intake.statement, {"items": text.decode()})
        self.database.wakeups.notify(*self.intake.feeds)

    async def _ensure_months(self, batch: Iterable[PendingRow]) -> None:
        missing = {entry.item.month for entry in batch} - self.months
        if not missing:
            return
        times = [entry.item.at for entry in batch if entry.item.month in missing]
        for table in self.intake.tables:
            async with self.database.write() as session:
                await partition.ensure(session, table, times)
        self.months |= missing

    def _fail(self, batch: list[PendingRow], error: Exception) -> None:
        """After a failure nothing that was known holds: a partition may have been dropped."""
        self.months.clear()
        obstacle = domain_error_of(error)
        for entry in batch:
            entry.obstacle = obstacle
        log.warning("batch not stored yet", intake=self.intake.name, error=summary(error))


class Ingestion:
    """The lanes of this process, each made when it is first used; without a database, none."""

    def __init__(self, database: Database | None = None) -> None:
        self.database = database
        self.lanes: dict[IngestTarget, BatchWriter] = {}
        self.closing = False

    async def take(
        self, intake: IngestTarget, items: Sequence[IngestRow]
    ) -> Mapping[int, DomainError]:
        """Returns after the commit: what was not stored, and why, by position.

        Raises RateLimited and Unavailable; then nothing was taken. Who stops waiting is not told,
        but what was taken is stored.
        """
        if not items:
            return {}
        lane = self._lane(intake)
        pending = lane.put(items)
        lane.flush()
        await pending.done
        return pending.errors

    def offer(self, intake: IngestTarget, items: Sequence[IngestRow]) -> PendingBatch:
        """Hands in what nobody waits for, to be stored within a second. The parcel says later what
        was not stored. Raises as `take` does."""
        lane = self._lane(intake)
        pending = lane.put(items)
        lane.flush_soon()
        return pending

    def now(self) -> datetime:
        """The time of the database. Raises Unavailable."""
        if self.database is None:
            raise Unavailable
        return self.database.clock.now()

    async def close(self) -> None:
        """Takes nothing more, and returns when everything taken is settled."""
        self.closing = True
        await asyncio.gather(*(lane.drain() for lane in self.lanes.values()))

    def _lane(self, intake: IngestTarget) -> BatchWriter:
        if self.closing or self.database is None:
            raise Unavailable("The gateway takes nothing at the moment; try again shortly.")
        if intake not in self.lanes:
            self.lanes[intake] = BatchWriter(intake, self.database)
        return self.lanes[intake]


@contextmanager
def _outcome_unknown(batch: Sequence[PendingRow]) -> Iterator[None]:
    """A batch that was sent is in doubt when it fails, unless PostgreSQL says that it failed."""
    try:
        yield
    except BaseException as error:
        for entry in batch:
            entry.in_doubt = entry.in_doubt or not is_rolled_back(error)
        raise


def refusal_of(error: Exception) -> DomainError | None:
    """What is wrong with a row that PostgreSQL refuses; None when no row is to blame."""
    if not isinstance(error, DBAPIError):
        return None
    meant = domain_error_of(error)
    return None if isinstance(meant, Unavailable) else meant
