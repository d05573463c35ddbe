"""Keyset: pages of a list in an order that ends in the id, forward or backward, without OFFSET.

Nulls sort last forward, and so first backward. A cursor holds the sort values of one row. It is
opaque and valid only for the order it was created with.
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
from sqlalchemy import ColumnElement, and_, false, or_

from db.core.errors import Invalid
from db.core.ids import EPOCH
from db.core.table import AnySelect, Column, Expression
from db.core.values.rfc3339 import read_time

R = TypeVar("R")  # a record, or a row of the driver

DEFAULT_SIZE = 20
MAX_SIZE = 100


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

    def term(self, column: Expression | Column, backward: bool) -> Expression:
        term: Expression = column.desc() if self.descending != backward else column.asc()
        if not self.nullable:
            return term
        return term.nulls_first() if backward else term.nulls_last()

    def beyond(self, value: object, backward: bool) -> ColumnElement[bool]:
        if value is None:
            return self.column.is_not(None) if backward else false()
        further = self.column < value if self.descending != backward else self.column > value
        return or_(further, self.column.is_(None)) if self.nullable and not backward else further

    def same(self, value: object) -> ColumnElement[bool]:
        return self.column.is_(None) if value is None else self.column == value


Order = tuple[SortKey, ...]


@dataclass(frozen=True, slots=True)
class PageArgs:
    """The arguments of a page: `first` after a cursor, or `last` before one."""

    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None

    @property
    def backward(self) -> bool:
        return self.last is not None

    @property
    def size(self) -> int:
        """The page size. Raises Invalid outside 0 to MAX_SIZE, or with both first and last."""
        if self.first is not None and self.last is not None:
            raise Invalid("Set first or last, not both.", "last")
        name, size = ("last", self.last) if self.backward else ("first", self.first)
        if size is None:
            return DEFAULT_SIZE
        if not 0 <= size <= MAX_SIZE:
            raise Invalid(f"{name} must be between 0 and {MAX_SIZE}.", name)
        return size

    def conditions(self, order: Order) -> list[ColumnElement[bool]]:
        """The keyset conditions of the cursors. Raises Invalid."""
        cursors = (("after", self.after, False), ("before", self.before, True))
        return [
            _beyond(order, decode(order, text, name), backward)
            for name, text, backward in cursors
            if text is not None
        ]

    def apply(self, statement: AnySelect, order: Order) -> AnySelect:
        terms = [by.sql(self.backward) for by in order]
        return statement.where(*self.conditions(order)).order_by(*terms).limit(self.size + 1)

    def page(self, rows: Sequence[R], order: Order) -> "Page[R]":
        records = list(rows[: self.size])
        more = len(rows) > self.size
        if self.backward:
            records.reverse()
            return Page(records, order, has_next=self.before is not None, has_previous=more)
        return Page(records, order, has_next=more, has_previous=self.after is not None)


@dataclass(slots=True)
class Page(Generic[R]):
    """Rows of a list, and whether there are more before and after them."""

    records: list[R]
    order: Order
    has_next: bool
    has_previous: bool

    def cursor(self, record: R) -> str:
        return encode(self.order, record)


def _beyond(order: Order, values: Sequence[object], backward: bool) -> ColumnElement[bool]:
    return or_(
        *(
            and_(
                *(tie.same(value) for tie, value in zip(order[:depth], values, strict=False)),
                by.beyond(values[depth], backward),
            )
            for depth, by in enumerate(order)
        )
    )


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
