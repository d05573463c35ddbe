"""Columns: what an export contains, and how PostgreSQL prints it in each format.

A row is printed by one expression, as a line of JSON or of CSV. So the gateway neither builds nor
converts values, and memory does not depend on their size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import Text, cast, func, literal_column

from db.core.query.json_text import Pieces, escaped, joined, plain, quoted, texts, time
from db.core.table import Column, Expression


class ColumnType(StrEnum):
    """The type of a column: in JSON, and in Parquet."""

    TEXT = "TEXT"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"  # a text of digits in JSON
    TIME = "TIME"
    BOOLEAN = "BOOLEAN"
    TEXTS = "TEXTS"
    OBJECT = "OBJECT"  # its JSON as a text, in Parquet


@dataclass(frozen=True, eq=False)
class ExportColumn:
    """One column of an export. `places` are the decimals of a DECIMAL."""

    name: str
    type: ColumnType
    value: Expression
    places: int = 6


Print = Callable[[Expression], Pieces]

_JSON: dict[ColumnType, Print] = {
    ColumnType.TEXT: escaped,
    ColumnType.INTEGER: plain,
    ColumnType.DECIMAL: quoted,
    ColumnType.TIME: time,
    ColumnType.BOOLEAN: plain,
    ColumnType.TEXTS: texts,
    ColumnType.OBJECT: plain,
}
_NULL: Expression = literal_column("'null'", Text())
_QUOTE: Expression = literal_column("""'"'""", Text())
_QUOTES: Expression = literal_column("""'""'""", Text())
_NOTHING: Expression = literal_column("''", Text())


def column(
    name: str, type: ColumnType, value: Column | Expression, places: int = 6
) -> ExportColumn:
    return ExportColumn(name, type, value.expression, places)


def json_line(kind: str, columns: Sequence[ExportColumn]) -> Expression:
    """A row as an object."""
    return _object(kind, columns, _JSON)


def flat_line(kind: str, columns: Sequence[ExportColumn]) -> Expression:
    """A row as an object without objects within: these are texts of JSON."""
    return _object(kind, columns, {**_JSON, ColumnType.OBJECT: _object_as_text})


def _object(
    kind: str, columns: Sequence[ExportColumn], prints: Mapping[ColumnType, Print]
) -> Expression:
    pieces: list[str | Expression] = [f'{{"kind":"{kind}"']
    for each in columns:
        pieces += [f',"{each.name}":', func.coalesce(joined(prints[each.type](each.value)), _NULL)]
    return joined([*pieces, "}"])


def _object_as_text(value: Expression) -> Pieces:
    return escaped(cast(value, Text))


def csv_header(columns: Sequence[ExportColumn]) -> str:
    return ",".join(each.name for each in columns)


def csv_line(_kind: str, columns: Sequence[ExportColumn]) -> Expression:
    """A row of RFC 4180: a null is empty, an empty text is quoted."""
    pieces: list[str | Expression] = []
    for number, each in enumerate(columns):
        pieces += [*([","] if number else []), _csv_cell(each)]
    return joined(pieces)


def _csv_cell(column: ExportColumn) -> Expression:
    text: Expression
    match column.type:
        case ColumnType.TIME:
            text = func.btrim(joined(time(column.value)), _QUOTE)
        case ColumnType.TEXTS:
            text = cast(func.to_json(column.value), Text)
        case _:
            text = cast(column.value, Text)
    if column.type in (ColumnType.TEXT, ColumnType.TEXTS, ColumnType.OBJECT):
        text = _QUOTE.concat(func.replace(text, _QUOTE, _QUOTES)).concat(_QUOTE)
    return func.coalesce(text, _NOTHING)
