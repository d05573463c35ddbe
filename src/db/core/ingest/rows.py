"""Items: what is handed in for storing, checked so that PostgreSQL has little left to refuse.

One bad row fails the whole statement it is in. Finding it there costs a dozen further statements,
finding it here a microsecond; what is found here is also named by its field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import (
    FunctionElement,
    Numeric,
    TableValuedAlias,
    Text,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import JSON, Insert, insert

from db.core import secret_detection
from db.core.errors import FieldError, Invalid
from db.core.ids import uuid7
from db.core.table import Column, Table
from db.core.values import json
from db.core.values.validation import (
    MAX_DEPTH,
    NUL,
    NUL_IN_JSON,
    Check,
    field_errors,
    holds_nul,
    is_deep,
    raise_if_invalid,
)

Row = dict[str, Any]

MAX_BYTES = 100_000  # of an item as JSON


class NotStorable(TypeError):
    """A row holds what is not JSON. No request can send that, so it is a fault of this program."""


@dataclass(frozen=True, slots=True)
class IngestRow:
    """One row to be stored: its id, its time, and the row as JSON."""

    id: UUID
    at: datetime
    text: bytes

    @property
    def month(self) -> tuple[int, int]:
        """The partition it belongs to."""
        return self.at.year, self.at.month


@dataclass(frozen=True, slots=True)
class RowValidator:
    """What is checked of a row, by the names of its columns."""

    checks: Mapping[str, Check]
    limits: Mapping[str, Decimal]

    def item(self, row: Row, at: datetime, key: str | None = None) -> IngestRow:
        """The item of a row and its time; with a key the same one each time. Raises Invalid."""
        row = self.row(row, at, key)
        return IngestRow(row["id"], at, _text(row))

    def row(self, row: Row, at: datetime, key: str | None = None) -> Row:
        """A row with its id, for one that is part of another's item. Raises Invalid."""
        raise_if_invalid(self._faults(row))
        return {"id": uuid7(at, key), **row}

    def _faults(self, row: Row) -> Iterator[FieldError]:
        yield from field_errors(self.checks, row)
        for name, limit in self.limits.items():
            if not -limit <= row[name] <= limit:
                message = f"This number must lie between -{limit} and {limit}."
                yield FieldError(message, name)


def row_validator(table: type[Table]) -> RowValidator:
    """The rules that the columns of a table declare."""
    limits = {column.name: limit for column in table.columns() for limit in _limit(column)}
    return RowValidator(table.checks, limits)


def recordset(*columns: Any) -> TableValuedAlias:
    """A batch, the JSON array in the parameter `items`, as a table with those columns."""
    text = cast(bindparam("items", type_=Text), JSON)
    return json_to_rows(func.json_to_recordset(text), "items", *columns)


def json_to_rows(function: FunctionElement[Any], name: str, *columns: Any) -> TableValuedAlias:
    """What a function makes of JSON, as a table with those columns."""
    typed = [column(c.name, c.type) for c in columns]
    return function.table_valued(*typed, name=name).render_derived(with_types=True)


def insert_from(table: type[Table], values: Mapping[str, Any], source: Any, *order: Any) -> Insert:
    """Inserts what each row of the source means for the columns named; a row that is there already
    stays as it is."""
    chosen = select(*values.values()).select_from(source).order_by(*order)
    return (
        insert(core_table(table)).from_select(list(values), chosen, False).on_conflict_do_nothing()
    )


def insert_batch(table: type[Table]) -> Insert:
    """Inserts a batch whose items hold the columns of the table, but for `seq`."""
    items = recordset(*(c for c in table.columns() if c.name != "seq"))
    return insert_from(table, dict(items.c.items()), items)


def core_table(table: type[Table]) -> sqlalchemy.Table:
    """The table as statements that write name it."""
    assert isinstance(table.__table__, sqlalchemy.Table)  # noqa: S101  the class says FromClause
    return table.__table__


def _limit(c: Column) -> Iterator[Decimal]:
    """The largest number that a column holds."""
    if isinstance(c.type, Numeric) and c.type.precision and c.type.scale is not None:
        yield Decimal(10**c.type.precision - 1).scaleb(-c.type.scale)


def _text(row: Row) -> bytes:
    for name, value in row.items():
        if is_deep(value):
            raise Invalid(f"This JSON is nested more than {MAX_DEPTH} levels deep.", name)
    row = secret_detection.masked_row(row)
    try:
        text = json.dumps(row, _driver_value)
    except TypeError as error:  # a lone surrogate, a number that JSON does not have
        if isinstance(error.__cause__, NotStorable):
            raise error.__cause__ from None
        raise Invalid("A value holds characters or numbers that cannot be stored.") from error
    if len(text) > MAX_BYTES:
        raise Invalid(f"An item may have at most {MAX_BYTES:,} bytes as JSON.")
    if NUL in text:
        raise_if_invalid(
            FieldError(NUL_IN_JSON, name) for name, value in row.items() if holds_nul(value)
        )
    return text


def _driver_value(value: Any) -> str:
    """The text of a UUID as asyncpg makes it: a subclass, which orjson does not take for one."""
    if isinstance(value, UUID):
        return str(value)
    raise NotStorable(f"A row holds a value of the type {type(value).__name__}.")
