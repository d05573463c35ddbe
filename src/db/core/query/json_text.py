"""JSON text: rows as JSON that PostgreSQL prints, in the bytes that the gateway would send.

An object is printed by one expression. Related rows and pages of rows are subqueries of it, to
which row rules apply as to any other. A text may hold two control characters, which JSON never
holds as they are: a mark of something that the schema cannot show, and a mark behind each float.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from sqlalchemy import (
    ColumnElement,
    Text,
    Uuid,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    select,
)

from db.core.errors import Invalid
from db.core.query.batch import Columns
from db.core.query.listing import NEWEST_ONE, ListSpec
from db.core.query.projection import Nested
from db.core.session.row_rules import VIEWER
from db.core.table import AnySelect, Column, Expression, Table

IRREGULAR = "\x01"  # in place of an object
FLOAT = "\x02"  # behind a number with two decimals

Pieces = Sequence["str | Expression"]  # texts, one after another
Print = Callable[[Expression], Pieces]  # of a value that is not null

_IRREGULAR = literal_column("chr(1)", Text())
_FLOAT = literal_column("chr(2)", Text())
_NULL = literal_column("'null'", Text())
_TIME: Expression = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'""")


def plain(value: Expression) -> Pieces:
    return [cast(value, Text)]


def quoted(value: Expression) -> Pieces:
    return ['"', cast(value, Text), '"']


def escaped(value: Expression) -> Pieces:
    return [cast(func.to_json(value), Text)]


def float_of_two_decimals(value: Expression) -> Pieces:
    """Null for NaN, so that the object is irregular."""
    return [case((value != literal_column("'NaN'"), cast(value, Text))), _FLOAT]


def time(value: Expression) -> Pieces:
    """In UTC with six decimals. Null for infinity, so that the object is irregular."""
    return ['"', func.to_char(func.timezone(literal_column("'UTC'"), value), _TIME), '"']


def texts(value: Expression) -> Pieces:
    """Null for a list that holds a null, so that the object is irregular."""
    holds_null = func.array_position(value, cast(null(), Text)).is_not(None)
    return [case((holds_null, null()), else_=cast(func.to_json(value), Text))]


def choice_of(shown: Mapping[str, str]) -> Print:
    """Null for a value that is not in `shown`, so that the object is irregular."""

    def pieces(value: Expression) -> Pieces:
        known = [(_literal(stored), _literal(f'"{name}"')) for stored, name in shown.items()]
        return [case(*((value == stored, printed) for stored, printed in known))]

    return pieces


class InvalidPage(Exception):
    """The arguments of a page within a row are invalid, which matters only if there is a row."""


class Part(Protocol):
    """The value of one field, as pieces of text that are never all null."""

    def pieces(self, nested: Nested) -> Pieces: ...


@dataclass(frozen=True, eq=False)
class Constant:
    """The same text in each row."""

    text: str

    def pieces(self, _nested: Nested) -> Pieces:
        return [self.text]


@dataclass(frozen=True, eq=False)
class GlobalId:
    """The ID of a row, behind a prefix."""

    id: Column
    prefix: str

    def pieces(self, _nested: Nested) -> Pieces:
        hexadecimal = func.encode(func.uuid_send(self.id), literal_column("'hex'"))
        return [f'"{self.prefix}_', hexadecimal, '"']


@dataclass(frozen=True, eq=False)
class ColumnValue:
    """A column. If it is not among the `shown` at the place `guard`, it is null for others than the
    user in the column `owner`."""

    column: Column
    show: Print
    shows_null: bool
    owner: Column
    guard: int | None

    def pieces(self, nested: Nested) -> Pieces:
        pieces = self.show(self.column.expression)
        if self.shows_null and self.column.nullable:
            pieces = [case((self.column.is_(None), _NULL), else_=joined(pieces))]
        if self.guard is None or nested.shown[self.guard]:
            return pieces
        own = self.owner == bindparam(VIEWER, type_=Uuid())
        return [case((own, joined(pieces)), else_=_NULL)]


@dataclass(frozen=True, eq=False)
class JsonObject:
    """A row of a table as a JSON object; `parts` are its fields by name."""

    table: type[Table]
    parts: Mapping[str, Part]

    def expression(self, nested: Nested) -> Expression:
        """Null if the row is irregular."""
        fields = [_field(name, part, nested) for name, part in self.parts.items()]
        return joined(["{", *_separated(fields), "}"])

    def rows(self, nested: Nested) -> AnySelect:
        """Select the objects of all rows."""
        shown = func.coalesce(self.expression(nested), _IRREGULAR).label("object")
        return select(shown).select_from(self.table)


@dataclass(frozen=True, eq=False)
class RelatedRow:
    """The row of another table with a key, or null."""

    parent: type[Table]
    keys: Columns
    columns: Columns
    row: JsonObject
    is_required: bool

    def pieces(self, nested: Nested) -> Pieces:
        pairs = zip(self.columns, self.keys, strict=True)
        found = self.row.rows(nested).where(*(column == key for column, key in pairs))
        missing = _IRREGULAR if self.is_required else _NULL
        return [func.coalesce(found.correlate(self.parent).scalar_subquery(), missing)]


@dataclass(frozen=True, eq=False)
class NewestRow:
    """The newest row of a parent, or null."""

    parent: type[Table]
    keys: Columns
    listing: ListSpec
    columns: Columns
    row: JsonObject

    def pieces(self, nested: Nested) -> Pieces:
        page = self.listing.select_below(self.row.rows(nested), self.columns, self.keys, NEWEST_ONE)
        return [func.coalesce(page.correlate(self.parent).scalar_subquery(), _NULL)]


@dataclass(frozen=True, eq=False)
class RelatedPage:
    """A page of the rows of a parent, as a JSON list. `place` is that of its arguments."""

    parent: type[Table]
    keys: Columns
    listing: ListSpec
    columns: Columns
    row: JsonObject
    place: int

    def pieces(self, nested: Nested) -> Pieces:
        try:
            page = self.listing.select_below(
                self.row.rows(nested), self.columns, self.keys, nested.pages[self.place]
            )
        except Invalid as error:
            raise InvalidPage(str(error)) from error
        rows = func.array(page.correlate(self.parent).scalar_subquery())
        return ["[", func.array_to_string(rows, literal_column("','")), "]"]


@dataclass(frozen=True, eq=False)
class Wrapped:
    """An object of other parts, which is not a row."""

    parts: Mapping[str, Part]

    def pieces(self, nested: Nested) -> Pieces:
        fields = [_field(name, part, nested) for name, part in self.parts.items()]
        return ["{", *_separated(fields), "}"]


def joined(pieces: Pieces) -> Expression:
    """One text of all pieces; null if one of them is."""
    merged = [_merged(is_text, some) for is_text, some in groupby(pieces, _is_text)]
    expression, *others = [part for some in merged for part in some]
    for part in others:
        expression = expression.concat(part)
    return expression


def _is_text(piece: str | Expression) -> bool:
    return isinstance(piece, str)


def _merged(is_text: bool, pieces: Iterator[str | Expression]) -> list[Expression]:
    if is_text:
        return [_literal("".join(piece for piece in pieces if isinstance(piece, str)))]
    return [piece for piece in pieces if isinstance(piece, ColumnElement)]


def _field(name: str, part: Part, nested: Nested) -> Pieces:
    return [f'"{name}":', *part.pieces(nested)]


def _separated(fields: Sequence[Pieces]) -> Iterator[str | Expression]:
    for number, pieces in enumerate(fields):
        if number:
            yield ","
        yield from pieces


def _literal(text: str) -> Expression:
    """A constant that is made of names of the schema, and not of values of callers."""
    quoted = text.replace("'", "''")
    return literal_column(f"'{quoted}'", Text())
