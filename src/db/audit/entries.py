"""Entries: the audit entry and the feed row of a change, and the statement that stores both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, Numeric, Uuid, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert

from db.audit.tables import AuditEntry, ChangeKind, PendingChange
from db.core.ids import uuid7
from db.core.session.audit_context import AuditContext
from db.core.table import (
    JsonObject,
    Row,
    Table,
)
from db.core.values import json


@dataclass(frozen=True, slots=True)
class Note:
    """A change of a row. Either record may be None, not both."""

    kind: ChangeKind
    table: type[Table]
    before: Table | None
    after: Table | None


def noted_rows(context: AuditContext, note: Note, now: datetime) -> tuple[Row, Row]:
    table, row = note.table, cast("Table", note.after or note.before)
    old, new = _difference(table, note.before, note.after)
    entry = entry_row(context, table, row.id, now, old, new)
    parent_id = getattr(row, table.parent) if table.parent else None
    return entry, change_row(table, row.id, note.kind, entry["id"], parent_id)


def note_parameters(entry: Row, change: Row) -> Row:
    return _named("entry", entry) | _named("change", change)


def entry_row(
    context: AuditContext,
    table: type[Table],
    id: UUID,
    now: datetime,
    before: JsonObject | None,
    after: JsonObject | None,
) -> Row:
    return {
        "id": uuid7(now),
        "actor": context.actor,
        "key_id": context.key_id,
        "operation": context.operation,
        "request_id": context.request_id,
        "entity": table.__tablename__,
        "entity_id": id,
        "before": before,
        "after": after,
        "created_at": now,
    }


def change_row(
    table: type[Table], id: UUID, kind: ChangeKind, audit_id: UUID, parent_id: UUID | None
) -> Row:
    of_row = {"noun": table.__tablename__, "entity_id": id, "kind": kind}
    return {**of_row, "audit_id": audit_id, "parent_id": parent_id}


def _difference(
    table: type[Table], before: Table | None, after: Table | None
) -> tuple[JsonObject | None, JsonObject | None]:
    """The columns that differ, before and after. The value of a secret is not included."""
    if before is None or after is None:
        return _whole(table, before), _whole(table, after)
    names = [
        name
        for name in table.Record._fields
        if not json.same(getattr(before, name), getattr(after, name))
    ]
    shows = _shows(table)

    def shown(record: Table) -> JsonObject:
        return {name: _shown(shows[name], getattr(record, name)) for name in names}

    return shown(before), shown(after)


def _whole(table: type[Table], record: Table | None) -> JsonObject | None:
    """The columns of a row that was created or removed, but for those without a value."""
    if record is None:
        return None
    columns = zip(_shows(table).items(), cast("Sequence[object]", record), strict=True)
    return {
        name: value if show is None else show(value)
        for (name, show), value in columns
        if value is not None
    }


Show = Callable[[object], object]


@cache
def _shows(table: type[Table]) -> Mapping[str, Show | None]:
    """How the columns of a record are shown, in their order; None for those shown as they are."""
    columns = table.__table__.columns
    return {name: _show(columns[name]) for name in table.Record._fields}


def _show(column: ColumnElement[object]) -> Show | None:
    if column.info.get("secret"):
        return lambda _: "(secret)"
    if isinstance(column.type, Numeric):
        return lambda value: json.written(value) if isinstance(value, Decimal) else value
    if isinstance(column.type, Uuid):
        return lambda value: None if value is None else str(value)
    return None


def value_shown(table: type[Table], name: str, value: object) -> object:
    return _shown(_shows(table)[name], value)


def columns_touched(table: type[Table], now: datetime) -> Row:
    """The columns that each change of a row of the table sets."""
    columns = table.__table__.columns
    touched: Row = {"updated_at": now} if "updated_at" in columns else {}
    return touched | {"version": columns["version"] + 1} if "version" in columns else touched


def _shown(show: Show | None, value: object) -> object:
    return value if show is None else show(value)


def _named(prefix: str, row: Row) -> Row:
    return {f"{prefix}_{name}": value for name, value in row.items()}


def insertion_of(table: type[Table], prefix: str, *names: str) -> Insert:
    """A statement that inserts one row from parameters, whose names begin with the prefix."""
    columns = table.__table__.columns
    values = {name: bindparam(f"{prefix}_{name}", type_=columns[name].type) for name in names}
    return insert(table).values(values)


ENTRY = insertion_of(
    AuditEntry,
    "entry",
    *("id", "actor", "key_id", "operation", "request_id", "entity", "entity_id"),
    *("before", "after", "created_at"),
)
CHANGE = insertion_of(PendingChange, "change", "noun", "entity_id", "kind", "audit_id", "parent_id")

# Built once; its parameters are those of `note_parameters`.
NOTE = CHANGE.add_cte(ENTRY.cte("entry"))
