"""Load: import files batch by batch, each in a transaction.

While PostgreSQL stores a batch, the next one is read and validated; each takes about half of the
time. A thread would not help: PostgreSQL answers five times per batch, and each time the loop would
wait for the interpreter's lock.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from db import feeds
from db.core.error_facts import summary
from db.core.session.clock import MAX_AHEAD, Clock
from db.core.session.database import Database, WriteSession
from db.importer.kinds import BadLine, Repeats
from db.importer.lines import Line, Source
from db.importer.months import PartitionCreator
from db.importer.parse import parse
from db.importer.rejects import NotWritten, Rejects
from db.importer.report import FileReport, OnProgress, Progress, Reject, Report
from db.importer.store import ImportRow, StoreResult, add_first, store
from db.progress.batch import recompute_since

BATCH_LINES = 2_000
BATCH_BYTES = 2 * 2**20
LINES_AT_ONCE = 50  # about a millisecond
REMEMBERED_DREAMS = 50_000  # with new tests; their progress is computed when there are more
DREAMS_AT_ONCE = 100
WITHOUT_FEED = {"dream", "test"}  # kinds without a row in a feed

# Classes of SQLSTATE for an invalid value: data exception, integrity constraint violation, program
# limit exceeded. Source: PostgreSQL manual, appendix A.
_REFUSED = ("22", "23", "54")


class ImportStopped(Exception):
    """A line is invalid, and the import is strict."""


@dataclass(slots=True)
class LineBatch:
    """Lines that are stored together; `position` is the offset in the file after them."""

    entries: list[ImportRow] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    size: int = 0
    position: int = 0

    def add(self, line: Line, repeats: Repeats, latest: datetime) -> None:
        self.size += len(line.text)
        try:
            if line.problem:
                raise BadLine(line.problem)
            self.entries.append(
                ImportRow(line.number, line.text, *parse(line.record, repeats, latest))
            )
        except BadLine as bad:
            self.rejects.append(Reject(line.number, line.renamed(str(bad)), line.text))

    @property
    def full(self) -> bool:
        lines = len(self.entries) + len(self.rejects)
        return lines >= BATCH_LINES or self.size >= BATCH_BYTES


async def batches(source: Source, clock: Clock) -> AsyncGenerator[LineBatch, None]:
    batch, repeats = LineBatch(), Repeats()
    for line in source:
        batch.add(line, repeats, clock.now() + MAX_AHEAD)
        if line.number % LINES_AT_ONCE == 0:
            await asyncio.sleep(0)
        if batch.full:
            batch.position = source.position
            yield batch
            batch = LineBatch()
    batch.position = source.size
    yield batch


async def prefetched(source: AsyncGenerator[LineBatch, None]) -> AsyncGenerator[LineBatch, None]:
    async with aclosing(source):
        upcoming = asyncio.ensure_future(anext(source, None))
        try:
            while (batch := await upcoming) is not None:
                upcoming = asyncio.ensure_future(anext(source, None))
                yield batch
        finally:
            upcoming.cancel()
            await asyncio.wait([upcoming])


class Import:
    """One import of some files."""

    def __init__(
        self, database: Database, rejects_dir: Path, strict: bool, on_progress: OnProgress
    ) -> None:
        self.database = database
        self.rejects_dir = rejects_dir
        self.strict = strict
        self.on_progress = on_progress
        self.report = Report()
        self._months = PartitionCreator(database)
        self._tested: dict[UUID, UUID] = {}  # the first test of each dream

    async def run(self, sources: Sequence[Source]) -> Report:
        began = monotonic()
        await self.database.now()  # sets the clock, which limits the times of lines
        try:
            for source in sources:
                await self._file(source)
        except ImportStopped:
            self.report.stopped = True
        except NotWritten as error:
            self.report.unwritten = str(error)
        await self._recompute()
        await self._reset_subscribers()
        self.report.seconds = monotonic() - began
        return self.report

    async def _reset_subscribers(self) -> None:
        """Reset subscribers of the `changes` feed after a bulk import, also if all rows existed: an
        earlier import may have been interrupted before it did."""
        kinds = {kind for file in self.report.files for kind, c in file.kinds.items() if c.total}
        if kinds & WITHOUT_FEED:
            async with self.database.write() as session:
                await feeds.reset_subscribers(session, feeds.CHANGES)

    async def _file(self, source: Source) -> None:
        report = FileReport(source.path)
        self.report.files.append(report)
        began = monotonic()
        with Rejects(report, self._rejects_path(source.path)) as rejects:
            async with aclosing(prefetched(batches(source, self.database.clock))) as found:
                async for batch in found:
                    self._count(await self._store(batch, rejects), report)
                    report.seconds = monotonic() - began
                    self._notify(source.path, batch.position, source.size, report)
                    await self._recompute(at_least=REMEMBERED_DREAMS)

    def _rejects_path(self, path: Path) -> Path:
        """`<name>.rejects.jsonl`, or `<name>.2.rejects.jsonl` for the second file of that name."""
        same = sum(file.path.name == path.name for file in self.report.files)
        number = f".{same}" if same > 1 else ""
        return self.rejects_dir / f"{path.name}{number}.rejects.jsonl"

    async def _store(self, batch: LineBatch, rejects: Rejects) -> StoreResult:
        """Store a batch. Raises ImportStopped, without storing it, if the import is strict and a
        line is invalid, and NotWritten."""
        entries = sorted(batch.entries, key=lambda entry: entry.rank)
        stored = StoreResult(rejects=batch.rejects)
        try:
            self._check(stored)
            await self._months.ensure(entries)
            async with self.database.write() as session:
                await self._attempt(session, entries, stored)
                self._check(stored)
        finally:
            bad = sorted(stored.rejects, key=lambda reject: reject.line)
            rejects.add(bad[:1] if self.strict else bad)
        return stored

    def _check(self, stored: StoreResult) -> None:
        if self.strict and stored.rejects:
            raise ImportStopped

    async def _attempt(
        self, session: WriteSession, entries: Sequence[ImportRow], stored: StoreResult
    ) -> None:
        try:
            async with session.connection.begin_nested():
                stored.add(await store(session, entries))
        except DBAPIError as error:
            if not _is_refusal(error):
                raise
            if len(entries) == 1:
                stored.rejects.append(entries[0].reject(_reason(error)))
                return
            middle = len(entries) // 2
            await self._attempt(session, entries[:middle], stored)
            await self._attempt(session, entries[middle:], stored)

    def _count(self, stored: StoreResult, report: FileReport) -> None:
        for kind, counts in stored.kinds.items():
            report.kinds[kind].add(counts)
        self.report.users_created += stored.users_created
        add_first(self._tested, stored.tested.items())

    def _notify(self, path: Path | None, done: int, total: int, report: FileReport) -> None:
        rows = report.rows + report.rejected
        self.on_progress(Progress(path, done, total, rows, report.rows_per_second))

    async def _recompute(self, at_least: int = 1) -> None:
        if len(self._tested) < at_least:
            return
        dreams, began = sorted(self._tested), monotonic()
        for first in range(0, len(dreams), DREAMS_AT_ONCE):
            some = dreams[first : first + DREAMS_AT_ONCE]
            async with self.database.write() as session:
                since = {id: self._tested[id] for id in some}
                self.report.progress_logs.add(await recompute_since(session, since))
            rows = self.report.progress_logs.total
            rate = rows / max(monotonic() - began, 1e-6)
            self.on_progress(Progress(None, first + len(some), len(dreams), rows, rate))
        self._tested.clear()


def _is_refusal(error: DBAPIError) -> bool:
    return (getattr(error.orig, "sqlstate", None) or "").startswith(_REFUSED)


def _reason(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig else None
    return f"PostgreSQL rejected it: {summary(cause or error)}"
