"""Querying: rows of a time range from the files of the archive, without restoring them."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from db.archive import rows
from db.archive.moving import Files, fetched
from db.archive.nouns import ArchiveNoun
from db.core.errors import Invalid
from db.core.ids import floor
from db.core.schema.archived import ArchivedMonth, is_away
from db.core.schema.partition import month
from db.core.session.database import Database
from db.core.table import Row
from db.core.values import json


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open range of time, and the texts of columns that rows must have."""

    since: datetime
    until: datetime
    equal: Mapping[str, str]

    def includes(self, row: Row) -> bool:
        within = str(floor(self.since)) <= row["id"] < str(floor(self.until))
        return within and all(str(row[name]) == text for name, text in self.equal.items())


async def lines(
    database: Database, files: Files, noun: ArchiveNoun, window: Window
) -> AsyncIterator[bytes]:
    """The rows of a noun as lines of JSON, batch by batch, in the order of their times. Raises as
    sessions do, OSError, Differs, and Invalid for an unknown column."""
    known = {column.name for column in rows.stored_columns(noun.table)}
    if unknown := set(window.equal) - known:
        raise Invalid(f"There is no column {min(unknown)}: {', '.join(sorted(known))}.")
    within = ArchivedMonth.month >= month(window.since), ArchivedMonth.month < window.until
    away = ArchivedMonth.select().where(*is_away(noun.source), *within)
    async with database.read() as session:
        written = away.where(ArchivedMonth.archived_at.is_not(None)).order_by(ArchivedMonth.month)
        records = await session.records(ArchivedMonth, written)
    for record in records:
        async with AsyncExitStack() as stack:
            path = await fetched(stack, files, record.file, str(record.sha256))
            for batch in rows.batches(path):
                found = filter(window.includes, batch)
                yield b"".join(json.dumps(row) + b"\n" for row in found)
