"""Order: the columns that a list is sorted by, and the rows beyond a cursor as ranges of an index.

Nulls sort last forward, and so first backward. PostgreSQL reads an index from its start if the
condition of a page is an OR, so the rows beyond a cursor are a comparison of rows, and those with a
null in the first column are a range of their own. So are they in a descending order without a
cursor: an ascending index, read backward, has nulls first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, false, literal, not_, or_, tuple_

from db.core.table import Column, Expression

Sql = ColumnElement[bool]


@dataclass(frozen=True)
class SortKey:
    """One column of an order."""

    column: Column
    descending: bool = False

    @property
    def name(self) -> str:
        return str(self.column.name)

    @property
    def nullable(self) -> bool:
        return bool(self.column.nullable)

    def sql(self, backward: bool) -> Expression:
        return self.term(self.column, backward)

    def within_range(self, backward: bool) -> Expression:
        """The term in a range of `index_ranges`, as an ascending index has it."""
        return self.column.desc() if self.falls(backward) else self.column.asc()

    def term(self, column: Expression | Column, backward: bool) -> Expression:
        term: Expression = column.desc() if self.falls(backward) else column.asc()
        if not self.nullable:
            return term
        return term.nulls_first() if backward else term.nulls_last()

    def falls(self, backward: bool) -> bool:
        return self.descending != backward


Order = tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort values of one row. The page has the rows after it, or `backward` those before."""

    values: tuple[object, ...]
    backward: bool


def beyond(order: Order, cursor: Cursor) -> Sql:
    """The condition on rows beyond a cursor."""
    ranges = index_ranges(order, [cursor])
    return or_(*(and_(*conditions) for conditions in ranges))


def index_ranges(order: Order, cursors: Sequence[Cursor]) -> list[list[Sql]]:
    """The rows beyond all cursors, as one list of conditions for each range of the index. The
    ranges have no row in common."""
    first = order[0]
    if not cursors:
        is_null = first.column.is_(None)
        return [[not_(is_null)], [is_null]] if first.nullable and first.descending else [[]]
    sides = [[_with_value(order, cursor) for cursor in cursors]]
    if first.nullable:
        sides.append([_with_null(order, cursor) for cursor in cursors])
    ranges = [[part for part in side if part is not None] for side in sides]
    full = [range for range in ranges if len(range) == len(cursors)]
    return full or [[false()]]


def _with_value(order: Order, cursor: Cursor) -> Sql | None:
    """The condition on rows whose first column is not null; None if no such row is beyond."""
    first, value = order[0], cursor.values[0]
    if value is None:
        return first.column.is_not(None) if cursor.backward else None
    falls = first.falls(cursor.backward)
    if _is_one_direction(order):
        return _compared(order, cursor.values, falls)
    start = first.column <= value if falls else first.column >= value
    further = _compared(order[:1], cursor.values[:1], falls)
    return and_(start, or_(further, and_(first.column == value, _rest(order, cursor))))


def _with_null(order: Order, cursor: Cursor) -> Sql | None:
    """The condition on rows whose first column is null; None if no such row is beyond."""
    is_null = order[0].column.is_(None)
    if cursor.values[0] is None:
        return and_(is_null, _rest(order, cursor))
    return None if cursor.backward else is_null


def _rest(order: Order, cursor: Cursor) -> Sql:
    return beyond(order[1:], Cursor(cursor.values[1:], cursor.backward))


def _is_one_direction(order: Order) -> bool:
    """True if a comparison of rows is the order: a null makes it unknown."""
    alike = all(by.descending == order[0].descending for by in order)
    return alike and not any(by.nullable for by in order[1:])


def _compared(order: Order, values: Sequence[object], falls: bool) -> Sql:
    if len(order) == 1:
        [by], [value] = order, values
        return by.column < value if falls else by.column > value
    row = tuple_(*(by.column for by in order))
    other = tuple_(*(literal(v, by.column.type) for by, v in zip(order, values, strict=True)))
    return row < other if falls else row > other
