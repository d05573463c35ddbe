"""Changed: streams of the rows of a table, which tell what those that changed are by now.

The feed says which rows changed. They are read when a message is made, with the sight of who gets
it: so several changes of a row that lie between two messages are told as one, and nobody is shown
what may not be seen any more.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

import db
from db import Database, ReadSession
from db.core.batch import by_key
from db.core.reads import Reads
from db.core.sight import Sight
from db.core.table import Table
from graph.core.node import id_of
from graph.core.stream import Conditions, Shown, Source


@dataclass(frozen=True, slots=True)
class Changed(Source):
    """The rows of a table that fulfil `where`."""

    feed = "changes"
    table: ClassVar[type[Table]]

    def where(self) -> Conditions:
        """What a row that is shown fulfils, beside being seen."""
        return ()

    def conditions(self) -> Conditions:
        return db.audit.changes_of(self.table)

    def concerns(self, change: Any) -> bool:
        return bool(change.noun == self.table.__tablename__)

    async def shown(self, database: Database, changes: Sequence[Any], _reads: Reads) -> Shown:
        ids = _by_last(changes)
        async with database.read() as session:
            found = await by_key(session, self.table, _id(self.table), ids, *self.where())
            others = [change for change in changes if change.entity_id not in found]
            left = await self.left(session, database.sight, others) if others else ()
        printed = [id_of(self.table.Record, id) for id in ids if id in left]
        return Shown([found[id] for id in ids if id in found], printed)

    async def left(
        self, _session: ReadSession, _sight: Sight, _changes: Sequence[Any]
    ) -> Collection[UUID]:
        """The ids of those rows, among changed ones that are not shown now, that may have been
        shown before; never of those that could not be seen then. None where that is not told."""
        return ()


@dataclass(frozen=True, slots=True)
class Belonging(Changed):
    """The rows of a table that belong to one parent."""

    parent_id: UUID

    def conditions(self) -> Conditions:
        return db.audit.changes_of(self.table, self.parent_id)

    def concerns(self, change: Any) -> bool:
        mine = change.parent_id in (self.parent_id, None)  # earlier versions did not note it
        return mine and change.noun == self.table.__tablename__

    def where(self) -> Conditions:
        return (_parent(self.table) == self.parent_id,)


def _by_last(changes: Sequence[Any]) -> list[UUID]:
    """The ids of rows in the order of the last change of each."""
    last = {change.entity_id: change.seq for change in changes}
    return sorted(last, key=last.__getitem__)


def _id(table: Any) -> tuple[Any]:
    return (table.id,)


def _parent(table: Any) -> Any:
    return getattr(table, table.parent)
