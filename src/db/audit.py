"""Audit: who changed what, and the feed that says that something changed.

The writes of every noun go through `create`, `change` and `remove`, which leave both traces in the
transaction of the change itself.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    ColumnElement,
    Identity,
    Index,
    delete,
    func,
    or_,
    update,
)
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.orm import Mapped, mapped_column

from db.core.ids import uuid7
from db.core.numeric import fitted
from db.core.session.audit_context import AuditContext
from db.core.session.database import WriteSession
from db.core.table import CreatedAt, Id, Table, choice
from db.core.values import json


class ChangeKind(StrEnum):
    """What happened to a row."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"


class Change(Table):
    """One change of one row of a noun that has no feed of its own: what the row belongs to, if its
    table has a `parent`, and the entry of the audit log that tells more. Its `seq` is given in the
    commit: until then it has another."""

    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noun: Mapped[str]
    entity_id: Mapped[UUID]
    kind: Mapped[str] = choice(ChangeKind, "kind")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    audit_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]


class AuditEntry(Table):
    """Who carried out which operation on what, with the difference it made."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "entity", "entity_id", "id"), Index(None, "actor", "id"))

    id: Mapped[Id]
    actor: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    operation: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[UUID]
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    request_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]


async def create(session: WriteSession, table: type[Table], **values: Any) -> Any:
    """Stores a row, its id and times made from now, with the trace of it; returns its record.

    Raises Invalid, Conflict or NotFound for what the constraints of the table refuse.
    """
    return await _create(session, table, _insertion(session, table, values))


async def create_if_absent(session: WriteSession, table: type[Table], **values: Any) -> Any | None:
    """As `create`, but None where a row with one of its unique values is there already. It waits
    for a transaction that is about to store one."""
    statement = _insertion(session, table, values).on_conflict_do_nothing()
    return await _create(session, table, statement)


async def change(session: WriteSession, table: type[Table], before: Any, **values: Any) -> Any:
    """Changes a row that was read for it, with the trace of it; returns the record it is now.

    Raises Invalid as `create` does, for values that differ from those stored.
    """
    sent = table.cleaned(_differing(before, fitted(table, values)))
    changed = _differing(before, sent)
    if not changed:
        return before
    statement = (
        update(table).where(_id(table) == before.id).values(**changed, **_touched(session, table))
    )
    made = await session.record(table, statement.returning(*table.columns()))
    await note(session, ChangeKind.UPDATED, table, before, made)
    return made


async def remove(session: WriteSession, table: type[Table], before: Any) -> None:
    """Removes a row that was read for it, with the trace of it."""
    await session.execute(delete(table).where(_id(table) == before.id))
    await note(session, ChangeKind.DELETED, table, before, None)


async def clear(session: WriteSession, table: type[Table], column: Any, value: Any) -> int:
    """Sets a column to null in all rows where it has a value, each with a trace; returns the number
    of rows."""
    statement = (
        update(table).where(column == value).values({column: None, **_touched(session, table)})
    )
    ids = [id for (id,) in await session.rows(statement.returning(_id(table)))]
    if ids:
        now, name = session.now(), column.name
        entries = [
            _entry(session.act, table, id, now, {name: str(value)}, {name: None}) for id in ids
        ]
        changes = [
            _change(table, id, ChangeKind.UPDATED, entry["id"], None)
            for id, entry in zip(ids, entries, strict=True)
        ]
        await session.execute(insert(AuditEntry), entries)
        await session.execute(insert(Change), changes)
        session.feeds.add("changes")
    return len(ids)


async def note(
    session: WriteSession, kind: ChangeKind, table: type[Table], before: Any, after: Any
) -> None:
    """Leaves the trace of a change: who did it and what differs, and a row in the feed."""
    row = after or before
    old, new = _difference(table, before, after)
    entry = _entry(session.act, table, row.id, session.now(), old, new)
    parent_id = getattr(row, table.parent) if table.parent else None
    await session.execute(insert(AuditEntry).values(entry))
    change = _change(table, row.id, kind, entry["id"], parent_id)
    await session.execute(insert(Change).values(change))
    session.feeds.add("changes")


def changes_of(
    table: type[Table], parent_id: UUID | None = None
) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a change is of that table, and of a row that belongs to a parent, or may
    do so: earlier versions did not note that."""
    of_table = Change.noun == table.__tablename__
    mine = or_(Change.parent_id == parent_id, Change.parent_id.is_(None))
    return (of_table,) if parent_id is None else (of_table, mine)


def _insertion(session: WriteSession, table: type[Table], values: Mapping[str, Any]) -> Insert:
    now = session.now()
    return insert(table).values({"id": uuid7(now), "created_at": now, **table.cleaned(values)})


async def _create(session: WriteSession, table: type[Table], statement: Insert) -> Any | None:
    made = await session.record(table, statement.returning(*table.columns()))
    if made is not None:
        await note(session, ChangeKind.CREATED, table, None, made)
    return made


def _entry(
    act: AuditContext, table: type[Table], id: UUID, now: datetime, before: Any, after: Any
) -> dict[str, Any]:
    return {
        "id": uuid7(now),
        "actor": act.actor,
        "key_id": act.key_id,
        "operation": act.operation,
        "request_id": act.request_id,
        "entity": table.__tablename__,
        "entity_id": id,
        "before": before,
        "after": after,
        "created_at": now,
    }


def _change(
    table: type[Table], id: UUID, kind: ChangeKind, audit_id: UUID, parent_id: UUID | None
) -> dict[str, Any]:
    of_row = {"noun": table.__tablename__, "entity_id": id, "kind": kind}
    return {**of_row, "audit_id": audit_id, "parent_id": parent_id}


def _difference(table: type[Table], before: Any, after: Any) -> tuple[Any, Any]:
    """The columns that differ, before and after; secrets show only that they changed."""
    names = [
        name
        for name in table.Record._fields
        if not json.same(getattr(before, name, None), getattr(after, name, None))
    ]

    def shown(record: Any) -> dict[str, Any] | None:
        return record and {name: _shown(table, name, getattr(record, name)) for name in names}

    return shown(before), shown(after)


def _shown(table: type[Table], name: str, value: Any) -> Any:
    """A value of a column as a part of a JSON object, where exact numbers and ids are texts."""
    column = table.__table__.columns[name]
    if column.info.get("secret"):
        return "(secret)"
    if isinstance(column.type, JSON):
        return value
    if isinstance(value, Decimal):
        return json.written(value)
    return str(value) if isinstance(value, UUID) else value


def _differing(record: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that a record does not have already: those that it has need no check, because
    they may come from a version that had others."""
    return {
        name: value for name, value in values.items() if not json.same(getattr(record, name), value)
    }


def _touched(session: WriteSession, table: Any) -> dict[str, Any]:
    """What every change of a row changes: when, and its version where it has one."""
    columns = table.Record._fields
    touched: dict[str, Any] = {"updated_at": session.now()} if "updated_at" in columns else {}
    return touched | {"version": table.version + 1} if "version" in columns else touched


def _id(table: Any) -> Any:
    return table.id
