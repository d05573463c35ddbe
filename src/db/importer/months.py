"""Months: create partitions for imported rows."""

from collections.abc import Iterable
from datetime import datetime

from db.core.schema import partition
from db.core.session.database import Database
from db.importer.store import TABLES, ImportRow

TIMES = {
    "test": "created_at",
    "event": "timestamp",
    "metric": "timestamp",
    "agentReport": "reported_at",
}


class PartitionCreator:
    """Creates partitions on demand and remembers those that exist."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[tuple[str, datetime]] = set()

    async def ensure(self, entries: Iterable[ImportRow]) -> None:
        wanted = {
            (entry.kind, partition.month(entry.row[TIMES[entry.kind]]))
            for entry in entries
            if entry.kind in TIMES
        }
        for kind in {kind for kind, _ in wanted - self._known}:
            months = [month for other, month in wanted if other == kind]
            async with self._database.write() as session:
                await partition.ensure(session, TABLES[kind], months)
        self._known |= wanted
