"""Archive: old months of partitioned tables, moved to files of Parquet and back.

A month is detached, written to a file, read back and compared, and only then dropped. Its sums
stay. `archived_months` has one row for each month, so that a run after a crash continues what was
begun.
"""

from datetime import datetime

from sqlalchemy import func, select

from db.archive.moving import Differs as Differs, Files as Files, archive as archive
from db.archive.nouns import NOUNS as NOUNS, ArchiveNoun as ArchiveNoun
from db.archive.restoring import Restored as Restored, restore as restore
from db.core.query.time_range import TimeRange
from db.core.schema.archived import ArchivedMonth as ArchivedMonth, is_away
from db.core.schema.partition import month, next_month
from db.core.session.database import Database, ReadSession


async def archived(database: Database) -> list[ArchivedMonth]:
    """The months of the archive, by table and time. Raises as sessions do."""
    in_order = ArchivedMonth.select().order_by(ArchivedMonth.source, ArchivedMonth.month)
    async with database.read() as session:
        return await session.records(ArchivedMonth, in_order)


async def archived_until(
    session: ReadSession, noun: ArchiveNoun, span: TimeRange
) -> datetime | None:
    """The end of the newest month of a time range that is in the archive; None if none is."""
    within = [] if span.since is None else [ArchivedMonth.month >= month(span.since)]
    within += [] if span.until is None else [ArchivedMonth.month < span.until]
    newest = select(func.max(ArchivedMonth.month)).where(*is_away(noun.source), *within)
    found = await session.scalar(newest)
    return None if found is None else next_month(found)
