"""Filtered sources: subscriptions to every new row of a feed, or to those that match a filter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from db import Database
from db.core.query.filter import Condition
from db.core.query.listing import ListSpec
from db.core.session.coalescing import ReadCoalescer
from db.core.table import TableT
from graph.core.subscriptions.source import Conditions, Source, VisibleRows
from graph.core.types.filter import SUBSCRIPTION_BOUNDS, condition


@dataclass(frozen=True, slots=True)
class FilteredSource(Source[TableT]):
    """Every row of a feed, in order, or those that match a condition of its listing."""

    listing: ClassVar[ListSpec]
    where: Condition | None

    def conditions(self) -> Conditions:
        return () if self.where is None else (self.listing.filterable.compile(self.where),)

    def is_relevant(self, row: TableT) -> bool:
        if self.where is None:
            return True
        return self.listing.filterable.holds(self.where, row) is not False

    async def visible(
        self, database: Database, rows: Sequence[TableT], coalescer: ReadCoalescer
    ) -> VisibleRows:
        found = await self.listing.matching_rows(self.where, rows, coalescer, database.visibility)
        return VisibleRows(found)


def filter_condition(listing: ListSpec, filter: object) -> Condition | None:
    """The condition of the filter of a subscription. Raises Invalid, also for one that the listing
    does not support."""
    where = condition(listing, filter, SUBSCRIPTION_BOUNDS)
    if where is not None:
        listing.filterable.compile(where)
    return where
