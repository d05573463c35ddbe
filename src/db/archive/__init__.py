"""Archive: old months of partitioned tables, moved to files of Parquet and back.

A month is detached, written to a file, read back and compared, and only then dropped. Its sums
stay. `archived_months` has one row for each month, so that a run after a crash continues what was
begun.
"""

from db.archive.moving import Differs as Differs, Files as Files, archive as archive
from db.archive.nouns import NOUNS as NOUNS, ArchiveNoun as ArchiveNoun
from db.archive.restoring import Restored as Restored, restore as restore
from db.core.schema.archived import ArchivedMonth as ArchivedMonth
from db.core.session.database import Database


async def archived(database: Database) -> list[ArchivedMonth]:
    """The months of the archive, by table and time. Raises as sessions do."""
    in_order = ArchivedMonth.select().order_by(ArchivedMonth.source, ArchivedMonth.month)
    async with database.read() as session:
        return await session.records(ArchivedMonth, in_order)
