"""Table sources: subscriptions to the rows of a table, in their current state.

The feed says which rows changed. They are read when a message is made, with the visibility of its
subscribers. So several changes of a row between two messages are sent as one, and rows that are no
longer visible are not shown.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic
from uuid import UUID

import db
from db import Database
from db.audit import Change
from db.core.query.batch import ById
from db.core.session.coalescing import ReadCoalescer
from db.core.session.row_rules import Visibility
from db.core.table import TableT
from graph.core.subscriptions.source import Conditions, Source, VisibleRows
from graph.core.types.node import id_of


class TableSource(Source[Change], Generic[TableT]):
    """The rows of a table that match a condition."""

    feed = "changes"
    table: type[TableT]

    def matches(self, _row: TableT) -> bool:
        return True

    async def matching(
        self, rows: Sequence[TableT], _reads: ReadCoalescer, _visibility: Visibility
    ) -> Sequence[TableT]:
        return [row for row in rows if self.matches(row)]

    def conditions(self) -> Conditions:
        return db.audit.changes_of(self.table)

    def is_relevant(self, change: Change) -> bool:
        return bool(change.noun == self.table.__tablename__)

    async def visible(
        self, database: Database, changes: Sequence[Change], coalescer: ReadCoalescer
    ) -> VisibleRows:
        # Read once for all subscriptions with the same visibility.
        ids, visibility = _ids_by_last_change(changes), database.visibility
        seen = await coalescer.of(ById(self.table), ids, visibility)
        rows = [seen[id] for id in ids if id in seen]
        found = {row.id: row for row in await self.matching(rows, coalescer, visibility)}
        others = [change for change in changes if change.entity_id not in found]
        left_ids = await self.left_ids(database, coalescer, seen, others) if others else ()
        return VisibleRows(
            list(found.values()), [id_of(self.table.Record, i) for i in ids if i in left_ids]
        )

    async def left_ids(
        self,
        _database: Database,
        _reads: ReadCoalescer,
        _present: Collection[UUID],
        _changes: Sequence[Change],
    ) -> Collection[UUID]:
        """The IDs of changed rows that are not shown now but may have been before; never of rows
        that were not visible then. None by default. `_present`: the IDs of visible rows."""
        return ()


@dataclass(frozen=True, slots=True)
class ChildTableSource(TableSource[TableT]):
    """The rows of a table that belong to one parent."""

    parent_id: UUID

    def conditions(self) -> Conditions:
        return db.audit.changes_of(self.table, self.parent_id)

    def is_relevant(self, change: Change) -> bool:
        mine = change.parent_id in (self.parent_id, None)  # earlier versions did not note it
        return mine and change.noun == self.table.__tablename__

    def matches(self, row: TableT) -> bool:
        return bool(getattr(row, str(self.table.parent)) == self.parent_id)


def _ids_by_last_change(changes: Sequence[Change]) -> list[UUID]:
    last = {change.entity_id: change.seq for change in changes}
    return sorted(last, key=last.__getitem__)
