"""Restoring: a month from its file back into its table."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ForeignKey, delete, func, null, select, update

from db import rollups
from db.archive import rows
from db.archive.moving import Files, fetched, put_back
from db.archive.nouns import ArchiveNoun
from db.core.errors import NotFound
from db.core.ingest.statements import core_table
from db.core.query.time_range import Bucket
from db.core.rollup import periods, rolling
from db.core.schema import expiry, partition
from db.core.schema.archived import ArchivedMonth, is_away
from db.core.schema.months import Month
from db.core.session.database import Database, WriteSession


@dataclass(frozen=True, slots=True)
class Restored:
    """The number of rows that were restored, and of those whose parent was deleted meanwhile."""

    rows: int
    dropped: int


async def restore(
    database: Database, files: Files, noun: ArchiveNoun, at: datetime
) -> Restored | None:
    """Store the rows of a month again, all or none; None if another process is working. Raises as
    sessions do, OSError, Differs, and NotFound for a month that is not in the archive."""
    async with expiry.turn(database) as taken, AsyncExitStack() as stack:
        if taken is None:
            return None
        record = await _archived(taken.database, noun, at)
        month = Month(partition.name(noun.table, at), False, False, None)
        if record.archived_at is None:
            await put_back(taken.database, noun, month)
            async with taken.database.read() as session:
                return Restored(await rows.count_rows(session, month.name), 0)
        path = await fetched(stack, files, record.file, str(record.sha256))
        async with taken.database.write() as session:
            return await _restore(session, noun, month, path)


async def _archived(database: Database, noun: ArchiveNoun, at: datetime) -> ArchivedMonth:
    found = ArchivedMonth.select().where(ArchivedMonth.month == at, *is_away(noun.source))
    async with database.read() as session:
        if (record := await session.record(ArchivedMonth, found)) is None:
            raise NotFound(f"{noun.name} of {at:%Y-%m} is not in the archive.")
        return record


async def _restore(session: WriteSession, noun: ArchiveNoun, month: Month, path: Path) -> Restored:
    table = core_table(noun.table)
    await partition.create_detached(session, table, month.name)
    total = 0
    for batch in rows.batches(path):
        await rows.store_rows(session, noun.table, month.name, batch)
        total += len(batch)
    dropped = sum([await _without_parent(session, noun, month, key) for key in table.foreign_keys])
    await partition.attach(session, table, month.name, month.start)
    await _mark_sums(session, noun, month)
    restored = update(ArchivedMonth).where(
        *is_away(noun.source), ArchivedMonth.month == month.start
    )
    await session.execute(restored.values(restored_at=func.now()))
    return Restored(total - dropped, dropped)


async def _without_parent(
    session: WriteSession, noun: ArchiveNoun, month: Month, key: ForeignKey
) -> int:
    """What PostgreSQL would have done when the parent was deleted."""
    rows_of = rows.month_table(noun.table, month.name)
    child, parent = rows_of.c[key.parent.name], key.column
    gone = child.is_not(None), ~select(parent).where(parent == child).exists()
    if key.ondelete == "SET NULL":
        await session.execute(update(rows_of).where(*gone).values({child: null()}))
        return 0
    return await session.execute(delete(rows_of).where(*gone))


async def _mark_sums(session: WriteSession, noun: ArchiveNoun, month: Month) -> None:
    """Have the sums computed again: dreams may have become private meanwhile."""
    for rollup in rollups.ROLLUPS:
        if rollup.source is noun.table:
            width: Bucket = rollup.shortest
            marked = list(periods.between(month.start, month.end, width))
            await rolling.mark(session, rollup, marked)
