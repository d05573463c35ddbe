"""Audit: who changed what, and the `changes` feed.

Writes of every noun go through `create`, `change` and `remove`. Each stores the row, an entry in
the audit log and a row of the feed in one transaction.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import cast
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

from db.core.errors import NotFound
from db.core.ids import uuid7
from db.core.numeric import fitted
from db.core.session.audit_context import AuditContext
from db.core.session.database import WriteSession
from db.core.table import (
    Column,
    CreatedAt,
    Id,
    JsonObject,
    Row,
    Table,
    TableT,
    Values,
    choice,
)
from db.core.values import json


class ChangeKind(StrEnum):
    """What happened to a row."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"


class Change(Table):
    """One change of one row of a noun without a feed of its own.

    `parent_id` is the value of the table's `parent` column, if it has one. `seq` is assigned during
    the commit; until then the row has a provisional one.
    """

    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noun: Mapped[str]
    entity_id: Mapped[UUID]
    kind: Mapped[str] = choice(ChangeKind, "kind")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    audit_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]


class AuditEntry(Table):
    """One operation on one row: the actor, and the columns that differ, before and after."""

    __tablename__ = "audit_log"
    __table_args__ = (Index(None, "entity", "entity_id", "id"), Index(None, "actor", "id"))

    id: Mapped[Id]
    actor: Mapped[UUID | None]
    key_id: Mapped[UUID | None]
    operation: Mapped[str]
    entity: Mapped[str]
    entity_id: Mapped[UUID]
    before: Mapped[JsonObject | None]
    after: Mapped[JsonObject | None]
    request_id: Mapped[str | None]
    created_at: Mapped[CreatedAt]


async def create(session: WriteSession, table: type[TableT], **values: object) -> TableT:
    """Insert a row with its audit entry; return the record. Its id and times are made from now.

    Raises Invalid, Conflict or NotFound where a constraint of the table refuses the row.
    """
    made = await _create(session, table, _insertion(session, table, values))
    return cast("TableT", made)  # only ON CONFLICT can leave it out


async def create_if_absent(
    session: WriteSession, table: type[TableT], **values: object
) -> TableT | None:
    """As `create`, but None if a row with one of its unique values exists. Waits for a concurrent
    transaction that inserts one."""
    statement = _insertion(session, table, values).on_conflict_do_nothing()
    return await _create(session, table, statement)


async def change(
    session: WriteSession, table: type[TableT], before: TableT, **values: object
) -> TableT:
    """Update a row read in this transaction, with its audit entry; return the new record.

    Only values that differ are checked: a stored one may come from a version with other rules.
    Raises as `create` does, and NotFound if the row is gone.
    """
    sent = table.cleaned(_differing(before, fitted(table, values)))
    changed = _differing(before, sent)
    if not changed:
        return before
    statement = (
        update(table).where(table.id == before.id).values(**changed, **_touched(session, table))
    )
    after = await session.record(table, statement.returning(*table.columns()))
    if after is None:
        raise NotFound
    await note(session, ChangeKind.UPDATED, table, before, after)
    return after


async def remove(session: WriteSession, table: type[TableT], before: TableT) -> None:
    await session.execute(delete(table).where(table.id == before.id))
    await note(session, ChangeKind.DELETED, table, before, None)


async def clear(session: WriteSession, table: type[Table], column: Column, value: object) -> int:
    """Set a column to null in all rows that hold `value`, with their audit entries; return the
    number of rows."""
    statement = (
        update(table).where(column == value).values({column: None, **_touched(session, table)})
    )
    ids = [id for (id,) in await session.rows(statement.returning(table.id))]
    if ids:
        now, name = session.now(), column.name
        entries = [
            _entry(session.audit_context, table, id, now, {name: str(value)}, {name: None})
            for id in ids
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
    session: WriteSession,
    kind: ChangeKind,
    table: type[TableT],
    before: TableT | None,
    after: TableT | None,
) -> None:
    """Store the audit entry and the feed row of a change. Either record may be None, not both."""
    noted = Note(kind, table, before, after)
    entry, change = noted_rows(session.audit_context, noted, session.now())
    await session.execute(insert(AuditEntry).values(entry))
    await session.execute(insert(Change).values(change))
    session.feeds.add("changes")


@dataclass(frozen=True, slots=True)
class Note:
    """A change of a row. Either record may be None, not both."""

    kind: ChangeKind
    table: type[Table]
    before: Table | None
    after: Table | None


def noted_rows(context: AuditContext, note: Note, now: datetime) -> tuple[Row, Row]:
    """The audit entry and the feed row of a change."""
    table, row = note.table, cast("Table", note.after or note.before)
    old, new = _difference(table, note.before, note.after)
    entry = _entry(context, table, row.id, now, old, new)
    parent_id = getattr(row, table.parent) if table.parent else None
    return entry, _change(table, row.id, note.kind, entry["id"], parent_id)


def changes_of(
    table: type[Table], parent_id: UUID | None = None
) -> tuple[ColumnElement[bool], ...]:
    """The conditions on changes of a table, and of rows of one parent if given. Changes without a
    parent match too: earlier versions did not store it."""
    of_table = Change.noun == table.__tablename__
    mine = or_(Change.parent_id == parent_id, Change.parent_id.is_(None))
    return (of_table,) if parent_id is None else (of_table, mine)


def _insertion(session: WriteSession, table: type[Table], values: Values) -> Insert:
    now = session.now()
    return insert(table).values({"id": uuid7(now), "created_at": now, **table.cleaned(values)})


async def _create(session: WriteSession, table: type[TableT], statement: Insert) -> TableT | None:
    made = await session.record(table, statement.returning(*table.columns()))
    if made is not None:
        await note(session, ChangeKind.CREATED, table, None, made)
    return made


def _entry(
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


def _change(
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
        if not json.same(getattr(before, name, None), getattr(after, name, None))
    ]

    def shown(record: Table | None) -> JsonObject | None:
        if record is None:
            return None
        return {name: _shown(table, name, getattr(record, name)) for name in names}

    return shown(before), shown(after)


def _shown(table: type[Table], name: str, value: object) -> object:
    column = table.__table__.columns[name]
    if column.info.get("secret"):
        return "(secret)"
    if isinstance(column.type, JSON):
        return value
    if isinstance(value, Decimal):
        return json.written(value)
    return str(value) if isinstance(value, UUID) else value


def _differing(record: Table, values: Values) -> Row:
    return {
        name: value for name, value in values.items() if not json.same(getattr(record, name), value)
    }


def _touched(session: WriteSession, table: type[Table]) -> Row:
    columns = table.__table__.columns
    touched: Row = {"updated_at": session.now()} if "updated_at" in columns else {}
    return touched | {"version": columns["version"] + 1} if "version" in columns else touched
