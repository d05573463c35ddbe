"""Creation: a new row, its audit entry and its row of the feed, in one statement.

The entry shows the row as PostgreSQL stores it, so all columns must be known before. Defaults are;
numbers with decimals and documents are not, because PostgreSQL changes how they are written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cache
from uuid import UUID

from sqlalchemy import ARRAY, JSON, ColumnElement, DefaultClause, Insert, Numeric, TextClause, func

from db.audit.entries import CHANGE, ENTRY, Note, insertion_of, note_parameters, noted_rows
from db.audit.tables import ChangeKind
from db.core.session.audit_context import AuditContext
from db.core.table import Row, Table, Values

PREFIX = "row"  # of the names of parameters


class Default(Enum):
    """Defaults that are no constants."""

    NOW = "the time of the statement"
    UNKNOWN = "made by PostgreSQL"


CONSTANTS: Mapping[str, object] = {"false": False, "true": True}


@cache
def noted_insertion(table: type[Table]) -> Insert:
    """The statement, with the parameters of `creation_parameters`; it returns the row."""
    inserted = insertion_of(table, PREFIX, *_defaults(table))
    return inserted.returning(*table.columns()).add_cte(ENTRY.cte("entry"), CHANGE.cte("change"))


def creation_parameters(
    context: AuditContext, table: type[Table], values: Values, now: datetime
) -> Row | None:
    """The parameters of `noted_insertion`, or None if PostgreSQL may store other values."""
    row = _complete_row(table, values, now)
    if row is None:
        return None
    record = table.Record(**row)
    noted = noted_rows(context, Note(ChangeKind.CREATED, table, None, record), now)
    return note_parameters(*noted) | {f"{PREFIX}_{name}": value for name, value in row.items()}


def _complete_row(table: type[Table], values: Values, now: datetime) -> Row | None:
    defaults = _defaults(table)
    if not values.keys() <= defaults.keys():
        return None
    row: Row = {
        name: values.get(name, now if default is Default.NOW else default)
        for name, default in defaults.items()
    }
    columns = table.__table__.columns
    is_exact = all(_is_stored_as_sent(columns[name], value) for name, value in row.items())
    return row if is_exact else None


def _is_stored_as_sent(column: ColumnElement[object], value: object) -> bool:
    if value is None:
        return True
    if isinstance(column.type, JSON):
        return value == {}
    if isinstance(value, datetime):
        return value.utcoffset() == timedelta()
    if isinstance(value, list):
        return all(isinstance(part, str) for part in value)
    return isinstance(value, str | int | UUID) and not isinstance(column.type, Numeric)


@cache
def _defaults(table: type[Table]) -> Mapping[str, object]:
    """The defaults of the columns of a record, by name."""
    columns = table.__table__.columns
    return {name: _default(columns[name]) for name in table.Record._fields}


def _default(column: ColumnElement[object]) -> object:
    default = getattr(column, "server_default", None)
    if default is None:
        return None
    made = default.arg if isinstance(default, DefaultClause) else Default.UNKNOWN
    if isinstance(made, str):
        return made
    if isinstance(made, TextClause):
        return _constant(made.text, column)
    return Default.NOW if isinstance(made, type(func.now())) else Default.UNKNOWN


def _constant(text: str, column: ColumnElement[object]) -> object:
    if text == "'{}'":
        return [] if isinstance(column.type, ARRAY) else {}
    if text.isdecimal():
        return int(text)
    return CONSTANTS.get(text, Default.UNKNOWN)
