"""Rows: rows of a batch, validated before they are sent.

PostgreSQL rejects a whole statement for one invalid row, and to find that row takes a dozen further
statements. Validation here takes a microsecond, and its error names the field.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import Numeric

from db.core import secret_detection
from db.core.errors import FieldError, Invalid
from db.core.ids import uuid7
from db.core.table import Column, Row, Table
from db.core.values import json
from db.core.values.validation import (
    MAX_DEPTH,
    NESTING,
    NUL,
    NUL_IN_JSON,
    Check,
    field_errors,
    holds_nul,
    is_deep,
    raise_if_invalid,
)

MAX_BYTES = 100_000  # of a row as JSON


class NotStorable(TypeError):
    """A row has a value that is not JSON. No request can send one, so this is a bug."""


@dataclass(frozen=True, slots=True)
class IngestRow:
    """One row of a batch: its id, its time, and the whole row as JSON. `is_plain`: the shorter
    statement of its target stores it."""

    id: UUID
    at: datetime
    text: bytes
    is_plain: bool = False

    @property
    def month(self) -> tuple[int, int]:
        return self.at.year, self.at.month


@dataclass(frozen=True, slots=True)
class RowTemplate:
    """A valid row without its id and its time, which is the column `time`: `text` is the rest of
    its JSON. It is stored once, or again and again if a client sends it so."""

    time: bytes
    text: bytes
    is_plain: bool

    def row(self, at: datetime, key: str | None = None) -> IngestRow:
        """A row to submit. Its id is random, or derived from `key`."""
        id = uuid7(at, key)
        start = b'{"id":"%b","%b":"%b",' % (id.hex.encode(), self.time, at.isoformat().encode())
        return IngestRow(id, at, start + self.text, self.is_plain and key is None)


@dataclass(frozen=True, slots=True)
class RowValidator:
    """The checks and numeric limits of a row, by column name."""

    checks: Mapping[str, Check]
    limits: Mapping[str, Decimal]

    def ingest_row(self, row: Row, at: datetime, key: str | None = None) -> IngestRow:
        """A row to submit. Its id is random, or derived from `key`. Raises Invalid."""
        row = self.row(row, at, key)
        return IngestRow(row["id"], at, _text(row))

    def template(self, row: Row, time: str = "timestamp", is_plain: bool = False) -> RowTemplate:
        """A row whose id and time, a column, are not known yet. Raises Invalid."""
        raise_if_invalid(self._faults(row))
        return RowTemplate(time.encode(), _text(row)[1:], is_plain)

    def row(self, row: Row, at: datetime, key: str | None = None) -> Row:
        """A row with its id, to be nested in another row. Raises Invalid."""
        raise_if_invalid(self._faults(row))
        return {"id": uuid7(at, key), **row}

    def _faults(self, row: Row) -> Iterator[FieldError]:
        yield from field_errors(self.checks, row)
        for name, limit in self.limits.items():
            if not -limit <= row[name] <= limit:
                message = f"This number must be between -{limit} and {limit}."
                yield FieldError(message, name)


def row_validator(table: type[Table]) -> RowValidator:
    limits = {column.name: limit for column in table.columns() for limit in _limit(column)}
    return RowValidator(table.checks, limits)


def _limit(c: Column) -> Iterator[Decimal]:
    if isinstance(c.type, Numeric) and c.type.precision and c.type.scale is not None:
        yield Decimal(10**c.type.precision - 1).scaleb(-c.type.scale)


def _text(row: Row) -> bytes:
    for name, value in row.items():
        if isinstance(value, NESTING) and is_deep(value):
            raise Invalid(f"This JSON is nested more than {MAX_DEPTH} levels deep.", name)
    row = secret_detection.masked_row(row)
    try:
        text = json.dumps(row, _driver_value)
    except TypeError as error:  # a lone surrogate, a number that JSON does not have
        if isinstance(error.__cause__, NotStorable):
            raise error.__cause__ from None
        raise Invalid("A value contains characters or numbers that cannot be stored.") from error
    if len(text) > MAX_BYTES:
        raise Invalid(f"An item may have at most {MAX_BYTES:,} bytes as JSON.")
    if NUL in text:
        raise_if_invalid(
            FieldError(NUL_IN_JSON, name) for name, value in row.items() if holds_nul(value)
        )
    return text


def _driver_value(value: object) -> str:
    """Encode a UUID of asyncpg, a subclass that orjson does not recognize."""
    if isinstance(value, UUID):
        return str(value)
    raise NotStorable(f"A row holds a value of the type {type(value).__name__}.")
