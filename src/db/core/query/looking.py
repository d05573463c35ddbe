"""Looking: how far a list is read for a filter that no index serves.

Such a list is read from its start until the page is full. If few rows match, that would be the
whole table: so a page looks at LOOKED rows of the list at most. If it is not full then, it ends at
the last row that was looked at, and the next page continues there. Decision 53.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import ColumnElement, func, select

from db.core.query.counting import Counted, counted_rows
from db.core.query.filter import And, Condition, Filterable, looked_up_singly, related
from db.core.query.keyset import Stop
from db.core.query.listing import ListArgs, ListSpec
from db.core.query.order import beyond
from db.core.query.served import is_served, is_served_below
from db.core.session.database import ReadSession
from db.core.timeouts import Kind, of_kind

LOOKED = 20_000  # rows of a list, for one page
LOOKED_THROUGH = 1_000  # rows whose related row is looked at as well
LOOKED_THROUGH_MANY = 100  # if they have many related rows
LOOKED_BELOW = 5_000  # rows within parents, which lie apart, for all pages of a level
COUNTED = 100_000


@dataclass(frozen=True, slots=True)
class Parts:
    """The conditions of a filter that must all hold: those with an index, and the others."""

    served: tuple[Condition, ...]
    walked: tuple[Condition, ...]

    @property
    def where(self) -> Condition:
        """All of them. Few rows are looked at, so related rows are looked up for each."""
        return And((*self.served, *map(looked_up_singly, self.walked)))

    @property
    def is_walked(self) -> Condition:
        """Those without an index."""
        return looked_up_singly(And(self.walked))


def _parts(
    listing: ListSpec,
    slice: ListArgs,
    has_index: Callable[[Condition, Filterable], bool] = is_served,
) -> Parts:
    some = tuple(_joined(slice.where))
    if not listing.grows:
        return Parts(some, ())
    served = tuple(part for part in some if has_index(part, listing.filterable))
    return Parts(served, tuple(part for part in some if part not in served))


def parts_below(listing: ListSpec, slice: ListArgs) -> Parts:
    """The conditions on rows of a parent, which are read in the order of ids. In another order all
    of them are sorted, and none is walked."""
    in_order_of_ids = len(listing.order(slice.order)) == 1
    return _parts(listing, slice, is_served_below if in_order_of_ids else _always)


def rows_below(listing: ListSpec, parts: Parts, size: int, parents: int) -> int:
    """The number of rows that a page looks at for each of several parents: no less than it may
    show."""
    most = min(LOOKED_BELOW, _looked(listing, parts))
    return max(most // parents, size + 1)


def _always(_condition: Condition, _filterable: Filterable) -> bool:
    return True


def _joined(where: Condition | None) -> Iterator[Condition]:
    if isinstance(where, And):
        for part in where.conditions:
            yield from _joined(part)
    elif where is not None:
        yield where


def is_whole(listing: ListSpec, slice: ListArgs) -> bool:
    """True if an index serves the filter, so that a page is read to its end."""
    return not _parts(listing, slice).walked


async def within_look(
    session: ReadSession, listing: ListSpec, slice: ListArgs, *conditions: ColumnElement[bool]
) -> ListArgs:
    """The arguments of a page, with the end of a look if no index serves the filter. Raises
    Invalid, and as sessions do."""
    parts = _parts(listing, slice)
    if not parts.walked:
        return slice
    served = replace(slice, where=And(parts.served))
    looked = await within_rows(session, listing, served, _looked(listing, parts), *conditions)
    return replace(looked, where=parts.where)


async def within_rows(
    session: ReadSession,
    listing: ListSpec,
    slice: ListArgs,
    rows: int,
    *conditions: ColumnElement[bool],
) -> ListArgs:
    """The arguments of a page that ends after a number of rows of the list, whatever it shows of
    them."""
    stop = await _stop(session, listing, slice, rows, conditions)
    return replace(slice, window=replace(slice.window, stop=stop))


def _looked(listing: ListSpec, parts: Parts) -> int:
    relations = {listing.relations[some.relation] for some in related(And(parts.walked))}
    if any(relation.many for relation in relations):
        return LOOKED_THROUGH_MANY
    return LOOKED_THROUGH if relations else LOOKED


async def _stop(
    session: ReadSession,
    listing: ListSpec,
    slice: ListArgs,
    rows: int,
    conditions: Sequence[ColumnElement[bool]],
) -> Stop | None:
    """Where a look at a number of rows ends; None if there are no more."""
    order = listing.order(slice.order)
    columns = [by.column.label(f"order_{n}") for n, by in enumerate(order)]
    looked = select(*columns).where(*conditions, *listing.conditions(slice))
    ends = slice.window.ends_of_look(looked, order, [column.key for column in columns], rows)
    found = [tuple(row) for row in await session.rows(of_kind(slice.kind, ends))]
    return Stop(*found) if len(found) == 2 else None


async def count(
    session: ReadSession, listing: ListSpec, slice: ListArgs, *conditions: ColumnElement[bool]
) -> Counted:
    """The number of rows in all pages. Without an index for the filter, that of the first
    COUNTED rows of the list."""
    counted, limits = await counted_within(session, listing, slice, *conditions)
    rows = counted_rows(listing.table, *conditions, *listing.conditions(counted), *limits)
    statement = select(func.count()).select_from(rows.subquery("counted"))
    return Counted(await session.scalar(of_kind(Kind.AGGREGATE, statement)), not limits)


async def counted_within(
    session: ReadSession, listing: ListSpec, slice: ListArgs, *conditions: ColumnElement[bool]
) -> tuple[ListArgs, list[ColumnElement[bool]]]:
    """The arguments of a count, and the condition that a row is among those that are looked at;
    none if all are."""
    parts = _parts(listing, slice)
    if not parts.walked:
        return slice, []
    rows = _looked(listing, parts) if related(And(parts.walked)) else COUNTED
    all_rows = ListArgs(And(parts.served), slice.search)
    limits = await first_rows(session, listing, all_rows, rows, *conditions)
    return replace(slice, where=parts.where), limits


async def first_rows(
    session: ReadSession,
    listing: ListSpec,
    slice: ListArgs,
    rows: int,
    *conditions: ColumnElement[bool],
) -> list[ColumnElement[bool]]:
    """The condition that a row is among a number of rows of the list; none if there are no more."""
    stop = await _stop(session, listing, slice, rows, conditions)
    return [] if stop is None else [beyond(listing.order(()), stop.cursor(False))]
