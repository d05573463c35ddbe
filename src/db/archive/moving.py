"""Moving: months out of their table into files.

Each step can be the last of a process: the next run continues with it. Rows are in the table, in a
detached partition, or in a file that was compared with them.
"""

import hashlib
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol
from uuid import uuid4

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from db import rollups
from db.archive import rows
from db.archive.nouns import NOUNS, ArchiveNoun
from db.core.ingest.statements import core_table
from db.core.rollup import RollupMark, RollupState
from db.core.schema import expiry, partition
from db.core.schema.archived import ArchivedMonth, is_away
from db.core.schema.months import Month, detach, months
from db.core.session.database import Database, ReadSession, WriteSession


class Differs(Exception):
    """What was read back from a file differs from the rows of its month."""


class Files(Protocol):
    """The files of the archive. A file appears under its name once it is whole and on disk."""

    async def put(self, name: str, chunks: AsyncGenerator[bytes, None]) -> None: ...

    async def fetch(self, name: str, path: Path) -> None:
        """Copy a file to a path. Raises OSError."""


@dataclass(slots=True)
class Written:
    """What was written to a file."""

    size: int = 0
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    async def counting(self, chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        async for chunk in chunks:
            self.size += len(chunk)
            self.digest.update(chunk)
            yield chunk


async def archive(
    database: Database, files: Files, after: Mapping[str, timedelta], *, restored: bool = False
) -> list[str] | None:
    """Move the months that ended so long ago to files, by the names of nouns; restored ones only if
    asked to. Return the names of the months, or None if another process is working. Raises as
    sessions do, OSError, and Differs."""
    await rollups.roll(database)
    async with expiry.turn(database) as taken:
        if taken is None:
            return None
        due = [
            (NOUNS[name], month)
            for name, time in after.items()
            for month in await _due(taken.database, NOUNS[name], taken.now - time, restored)
        ]
        return [
            month.name for noun, month in due if await _move(taken.database, files, noun, month)
        ]


async def _due(
    database: Database, noun: ArchiveNoun, limit: datetime, and_restored: bool
) -> list[Month]:
    """The months to be moved, those whose move was interrupted included."""
    async with database.read() as session:
        records = await session.records(
            ArchivedMonth, ArchivedMonth.select().where(ArchivedMonth.source == noun.source)
        )
        found = await months(session, noun.source)
    known = {record.month: record for record in records}
    kept = {at for at, record in known.items() if record.restored_at and not and_restored}
    begun = {at for at, record in known.items() if record.archived_at is None}
    return [
        month
        for month in found
        if month.end <= limit and month.start not in kept
        if month.attached or month.start in begun
    ]


async def _move(database: Database, files: Files, noun: ArchiveNoun, month: Month) -> bool:
    """False for a month that is still in use."""
    file = await _begin(database, noun, month)
    if file is None:
        return False
    await detach(database, noun.source, month)
    if await _has_changed(database, noun, month):
        await put_back(database, noun, month)
        return False
    written = Written()
    made = rows.chunks(database, noun.table, month.name)
    await files.put(file, written.counting(made))
    try:
        count = await _compare(database, files, noun, month, file, written)
    except Differs:
        await put_back(database, noun, month)
        raise
    await _finish(database, noun, month, written, count)
    return True


async def _begin(database: Database, noun: ArchiveNoun, month: Month) -> str | None:
    """Note that the month is being moved, and return the name of its file; None if its sums are
    not computed yet, or it is in use."""
    async with database.write() as session:
        begun = select(ArchivedMonth.file).where(*_of(noun, month), *is_away(noun.source))
        if (file := await session.scalar(begun)) is not None:
            return str(file)
        if not await _is_settled(session, noun, month):
            return None
        await noun.removal.before_detaching(session, month.name)
        file = f"{noun.name}/{month.start:%Y-%m}-{uuid4().hex[:8]}.parquet"
        values = {"source": noun.source, "month": month.start, "file": file}
        fresh = {"archived_at": None, "restored_at": None}
        await session.execute(
            insert(core_table(ArchivedMonth))
            .values(values)
            .on_conflict_do_update(index_elements=["source", "month"], set_={"file": file, **fresh})
        )
        return file


async def _is_settled(session: WriteSession, noun: ArchiveNoun, month: Month) -> bool:
    """Whether nothing of the month waits for maintenance. Holds the locks of its rollups, so that
    none of its sums are being computed."""
    if noun.busy is not None and await session.scalar(noun.busy(month).limit(1)) is not None:
        return False
    states = RollupState.select().where(RollupState.source == noun.source).with_for_update()
    closed = [state.closed for state in await session.records(RollupState, states)]
    if not all(at is not None and at >= month.end for at in closed):
        return False
    return not await _is_marked(session, noun, month)


async def _has_changed(database: Database, noun: ArchiveNoun, month: Month) -> bool:
    """Whether rows were written after `_begin`, which the sums do not contain."""
    async with database.read() as session:
        return await _is_marked(session, noun, month)


async def _is_marked(session: ReadSession, noun: ArchiveNoun, month: Month) -> bool:
    names = select(RollupState.name).where(RollupState.source == noun.source)
    within = RollupMark.period >= month.start, RollupMark.period < month.end
    marked = select(RollupMark.number).where(RollupMark.rollup.in_(names), *within)
    return await session.scalar(marked.limit(1)) is not None


async def _compare(
    database: Database,
    files: Files,
    noun: ArchiveNoun,
    month: Month,
    file: str,
    written: Written,
) -> int:
    """Read the file back; return its number of rows. Raises Differs."""
    async with AsyncExitStack() as stack:
        path = await fetched(stack, files, file, written.digest.hexdigest())
        session = await stack.enter_async_context(database.read())
        total, equal, last = 0, 0, ""
        for batch in rows.batches(path):
            ids = [str(row["id"]) for row in batch]
            if sorted({last, *ids}) != [last, *ids]:
                raise Differs(f"The rows of {file} are not in the order of their ids.")
            total, last = total + len(batch), ids[-1]
            equal += await rows.equal_rows(session, noun.table, month.name, batch)
        if not total == equal == await rows.count_rows(session, month.name):
            raise Differs(f"{file} differs from {month.name}, which was kept.")
        return total


async def fetched(stack: AsyncExitStack, files: Files, file: str, sha256: str) -> Path:
    """A copy of a file, until the stack is left. Raises Differs unless it has this checksum."""
    folder = stack.enter_context(TemporaryDirectory(prefix="dreamnet-archive-"))
    path = Path(folder) / "file.parquet"
    await files.fetch(file, path)
    with path.open("rb") as opened:
        if hashlib.file_digest(opened, "sha256").hexdigest() != sha256:
            raise Differs(f"{file} is damaged: its checksum is not the one that was noted.")
    return path


async def _finish(
    database: Database, noun: ArchiveNoun, month: Month, written: Written, count: int
) -> None:
    values = {"rows": count, "bytes": written.size, "sha256": written.digest.hexdigest()}
    async with database.write() as session:
        moved = update(ArchivedMonth).where(*_of(noun, month))
        await session.execute(moved.values(**values, archived_at=func.now()))
        await noun.removal.drop(session, month)


async def put_back(database: Database, noun: ArchiveNoun, month: Month) -> None:
    """Attach a month that was not dropped. Raises as sessions do."""
    async with database.read() as session:
        found = [each for each in await months(session, noun.source) if each.name == month.name]
    for each in found:
        if each.pending:
            await detach(database, noun.source, each)
    async with database.write() as session:
        await session.execute(delete(ArchivedMonth).where(*_of(noun, month)))
        if not all(each.attached and not each.pending for each in found):
            await partition.attach(session, core_table(noun.table), month.name, month.start)


def _of(noun: ArchiveNoun, month: Month) -> tuple[ColumnElement[bool], ...]:
    return ArchivedMonth.source == noun.source, ArchivedMonth.month == month.start
