"""Looking: how far a list is read for a filter that no index serves.

Such a list is read from its start until the page is full. If few rows match, that would be the
whole table: so a page looks at LOOKED rows of the list at most. If it is not full then, it ends at
the last row that was looked at, and the next page continues there. Decision 53.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from sqlalchemy import ColumnElement, Index, func, select

from db.core.query.counting import Counted, counted_rows
from db.core.query.filter import And, Compare, Condition, Exists, Filterable, Or, related
from db.core.query.keyset import PageArgs, Stop
from db.core.query.listing import ListArgs, ListSpec
from db.core.query.order import beyond
from db.core.session.database import ReadSession
from db.core.table import Column, Table
from db.core.timeouts import Kind, of_kind

LOOKED = 20_000  # rows of a list, for one page
LOOKED_THROUGH = 1_000  # rows whose related rows are looked at as well
COUNTED = 100_000

RANGES = frozenset({"eq", "in", "lt", "lte", "gt", "gte", "has", "has_any", "has_all"})


def is_served(condition: Condition, filterable: Filterable) -> bool:
    """True if an index finds the rows that meet a condition."""
    match condition:
        case Compare(name, "is_null", True):
            column = filterable.columns[name]
            return name in _indexed(filterable) or _has_index_of_nulls(column)
        case Compare(name, operator, _):
            return operator in RANGES and name in _indexed(filterable)
        case And(conditions) | Or(conditions):
            return all(is_served(part, filterable) for part in conditions)
        case Exists(relation, inner):
            return is_served(inner, filterable.relations[relation].target())
    return False


def _indexed(filterable: Filterable) -> Collection[str]:
    """The filters on columns of an index, and on those whose rows alone an index has."""
    return {
        name
        for name, column in filterable.columns.items()
        if column is filterable.time or column.name in _columns_of_indexes(column.table.name)
    }


@cache
def _columns_of_indexes(name: str) -> Collection[str]:
    table = Table.metadata.tables[name]
    keys = {column.name for index in table.indexes if _is_open(index) for column in index.columns}
    return {
        column.name
        for column in table.columns
        if column.primary_key or column.unique or column.name in keys | _conditions_of_indexes(name)
    }


def _is_open(index: Index) -> bool:
    """True if conditions on the columns of an index suffice to use it: a partial index of other
    columns needs conditions on those."""
    where = index.dialect_options["postgresql"]["where"]
    words = str(where).split()
    return where is None or any(column.name in words for column in index.columns)


def _has_index_of_nulls(column: Column) -> bool:
    return f"{column.name} is null" in _conditions_of_indexes(column.table.name)


@cache
def _conditions_of_indexes(name: str) -> set[str]:
    indexes = Table.metadata.tables[name].indexes
    return {str(index.dialect_options["postgresql"]["where"]) for index in indexes}


@dataclass(frozen=True, slots=True)
class _Parts:
    """The conditions of a filter that must all hold: those with an index, and the others."""

    served: tuple[Condition, ...]
    walked: tuple[Condition, ...]


def _parts(listing: ListSpec, slice: ListArgs) -> _Parts:
    some = tuple(_joined(slice.where))
    if not listing.grows:
        return _Parts(some, ())
    served = tuple(part for part in some if is_served(part, listing.filterable))
    return _Parts(served, tuple(part for part in some if part not in served))


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
    rows = LOOKED_THROUGH if any(map(related, parts.walked)) else LOOKED
    stop = await _stop(session, listing, replace(slice, where=And(parts.served)), rows, conditions)
    return replace(slice, window=replace(slice.window, stop=stop))


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
    limits = await counted_within(session, listing, slice, *conditions)
    rows = counted_rows(listing.table, *conditions, *listing.conditions(slice), *limits)
    statement = select(func.count()).select_from(rows.subquery("counted"))
    return Counted(await session.scalar(of_kind(Kind.AGGREGATE, statement)), not limits)


async def counted_within(
    session: ReadSession, listing: ListSpec, slice: ListArgs, *conditions: ColumnElement[bool]
) -> list[ColumnElement[bool]]:
    """The condition that a row is among those that are looked at to count; none if all are."""
    parts = _parts(listing, slice)
    if not parts.walked:
        return []
    rows = LOOKED_THROUGH if any(map(related, parts.walked)) else COUNTED
    all_rows = ListArgs(And(parts.served), slice.search, window=PageArgs())
    stop = await _stop(session, listing, all_rows, rows, conditions)
    return [] if stop is None else [beyond(listing.order(()), stop.cursor(False))]
