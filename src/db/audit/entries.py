"""Entries: the audit entry and the feed row of a change, and the statement that stores both."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import cast
from uuid import UUID

from sqlalchemy import JSON, bindparam
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.types import TypeEngine

from db.audit.tables import AuditEntry, Change, ChangeKind
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
    names = [
        name
        for name in table.Record._fields
        if not _is_same(getattr(before, name, None), getattr(after, name, None))
    ]

    types = _types(table)

    def shown(record: Table | None) -> JsonObject | None:
        if record is None:
            return None
        return {name: _shown(types[name], getattr(record, name)) for name in names}

    return shown(before), shown(after)


def _is_same(one: object, other: object) -> bool:
    """`json.same`, quick for rows that were created or removed."""
    return one is other or (one is not None and other is not None and json.same(one, other))


@cache
def _types(table: type[Table]) -> Mapping[str, TypeEngine[object] | None]:
    """The types of columns; None for those with a secret."""
    columns = table.__table__.columns
    return {c.name: None if c.info.get("secret") else c.type for c in columns}


def _shown(type_: TypeEngine[object] | None, value: object) -> object:
    if type_ is None:
        return "(secret)"
    if isinstance(type_, JSON):
        return value
    if isinstance(value, Decimal):
        return json.written(value)
    return str(value) if isinstance(value, UUID) else value


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
CHANGE = insertion_of(Change, "change", "noun", "entity_id", "kind", "audit_id", "parent_id")

# Built once; its parameters are those of `note_parameters`.
NOTE = CHANGE.add_cte(ENTRY.cte("entry"))
