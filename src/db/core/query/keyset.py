"""Keyset: pages of a list in an order that ends in the id, forward or backward, without OFFSET.

A cursor holds the sort values of one row. It is opaque and valid only for the order it was created
with.
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

import orjson
from sqlalchemy import select, union_all

from db.core.errors import Invalid
from db.core.ids import EPOCH
from db.core.query.order import Cursor, Order, SortKey, beyond, index_ranges
from db.core.table import AnySelect
from db.core.timeouts import for_values
from db.core.values.rfc3339 import read_time

R = TypeVar("R")  # a record, or a row of the driver

DEFAULT_SIZE = 20
MAX_SIZE = 100  # unless a listing declares another


@dataclass(frozen=True, slots=True)
class Stop:
    """The end of a look at a list: the sort values of the last row that is looked at, and those of
    the row after it."""

    last: tuple[object, ...]
    following: tuple[object, ...]

    def cursor(self, backward: bool) -> Cursor:
        """The rows that are looked at, on the way to it."""
        return Cursor(self.following, not backward)


@dataclass(frozen=True, slots=True)
class PageArgs:
    """The arguments of a page: `first` after a cursor, or `last` before one, at most `most`. It
    ends at the end of a look, if there is one."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None
    most: int = MAX_SIZE
    stop: Stop | None = None

    @property
    def backward(self) -> bool:
        return self.last is not None

    @property
    def size(self) -> int:
        """The page size. Raises Invalid outside 0 to `most`, or with both first and last."""
        if self.first is not None and self.last is not None:
            raise Invalid("Set first or last, not both.", "last")
        name, size = ("last", self.last) if self.backward else ("first", self.first)
        if size is None:
            return DEFAULT_SIZE
        if not 0 <= size <= self.most:
            raise Invalid(f"{name} must be between 0 and {self.most}.", name)
        return size

    def cursors(self, order: Order) -> list[Cursor]:
        """Raises Invalid."""
        sides = (("after", self.after, False), ("before", self.before, True))
        given = [
            Cursor(tuple(decode(order, text, name)), backward)
            for name, text, backward in sides
            if text is not None
        ]
        return given if self.stop is None else [*given, self.stop.cursor(self.backward)]

    def of_parent(self, statement: AnySelect, order: Order) -> AnySelect:
        """The page of a statement that reads few rows in any case, as one SELECT. Raises
        Invalid."""
        cursors = [beyond(order, cursor) for cursor in self.cursors(order)]
        terms = [by.sql(self.backward) for by in order]
        return statement.where(*cursors).order_by(*terms).limit(self.size + 1)

    def of_list(self, statement: AnySelect, order: Order, names: Sequence[str]) -> AnySelect:
        """The page of a statement that may read a whole table: one range of an index, or two where
        nulls follow. `names` are the columns of the order in the statement. Raises Invalid."""
        page = self._range(statement, order, names, self.size + 1)
        return page if statement.whereclause is None else for_values(page)

    def ends_of_look(
        self, statement: AnySelect, order: Order, names: Sequence[str], rows: int
    ) -> AnySelect:
        """Select the last of a number of rows of `of_list`, and the one after it."""
        looked = self._range(statement, order, names, rows + 1).subquery("looked")
        terms = [by.term(looked.c[n], self.backward) for by, n in zip(order, names, strict=True)]
        return for_values(select(*looked.c).order_by(*terms).offset(rows - 1).limit(2))

    def _range(
        self, statement: AnySelect, order: Order, names: Sequence[str], limit: int
    ) -> AnySelect:
        ranges = index_ranges(order, self.cursors(order))
        terms = [order[0].within_range(self.backward), *(b.sql(self.backward) for b in order[1:])]
        ordered = statement.order_by(*terms).limit(limit)
        pages = [ordered.where(*conditions) for conditions in ranges]
        if len(pages) == 1:
            return pages[0]
        rows = union_all(*pages).subquery("page")
        merged = [
            by.term(rows.c[name], self.backward) for by, name in zip(order, names, strict=True)
        ]
        return select(*rows.c).order_by(*merged).limit(limit)

    def page(
        self, rows: Sequence[R], order: Order, last: Sequence[object] | None = None
    ) -> "Page[R]":
        """`last`: the sort values of the last row that was looked at, if others follow it."""
        records = list(rows[: self.size])
        more = len(rows) > self.size
        last = self.stop.last if self.stop else last
        stopped = None if more or last is None else encode_values(order, last)
        more = more or stopped is not None
        if self.backward:
            records.reverse()
            return Page(records, order, self.before is not None, more, start=stopped)
        return Page(records, order, more, self.after is not None, end=stopped)


@dataclass(slots=True)
class Page(Generic[R]):
    """Rows of a list, and whether there are more before and after them. `start` and `end` are
    cursors of rows that were looked at, where those before and after them were not."""

    records: list[R]
    order: Order
    has_next: bool
    has_previous: bool
    start: str | None = None
    end: str | None = None

    def cursor(self, record: R) -> str:
        return encode(self.order, record)


def _fingerprint(order: Order) -> int:
    return zlib.crc32(repr([(by.name, by.descending) for by in order]).encode())


def encode(order: Order, record: object) -> str:
    return encode_values(order, [getattr(record, by.name) for by in order])


def encode_values(order: Order, values: Sequence[object]) -> str:
    text = orjson.dumps([_fingerprint(order), *values], default=str)
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def decode(order: Order, cursor: str, name: str = "after") -> list[object]:
    """The sort values in a cursor. Raises Invalid, for the argument `name`, unless `encode` made it
    for this order."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        fingerprint, *values = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if fingerprint == _fingerprint(order):
            return [_parse(by, value) for by, value in zip(order, values, strict=True)]
    except (ValueError, TypeError, ArithmeticError, binascii.Error):
        pass
    raise Invalid("This cursor does not belong to a list in this order.", name)


def _parse(by: SortKey, value: object) -> object:
    if value is None and by.nullable:
        return None
    written, read = READERS[by.column.type.python_type]
    if type(value) is not written:  # true and 1.0 are not integers
        raise TypeError
    return read(value)


def _time(text: str) -> datetime:
    at = read_time(text)
    if not EPOCH <= at < END:
        raise ValueError
    return at


def _decimal(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > MAX_EXPONENT:
        raise ValueError
    return number


def _whole(number: int) -> int:
    if abs(number) >= 2**63:
        raise ValueError
    return number


def _text(text: str) -> str:
    if "\0" in text:
        raise ValueError
    return text


END = datetime(9999, 1, 1, tzinfo=UTC)
MAX_EXPONENT = 308

# By the type of a column: the JSON type that `encode` writes, and its parser.
READERS: Mapping[type, tuple[type, Callable[[Any], object]]] = {
    UUID: (str, UUID),
    datetime: (str, _time),
    Decimal: (str, _decimal),
    int: (int, _whole),
    str: (str, _text),
}
