"""Tables: the audit log and the `changes` feed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, ColumnElement, Identity, Index, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from db.core.session.row_rules import Visibility
from db.core.table import (
    ANY_TABLE,
    CreatedAt,
    Id,
    JsonObject,
    Table,
    checked,
    choice,
)
from db.core.values import validation

XID = text("(pg_current_xact_id()::text)::bigint")


class ChangeKind(StrEnum):
    """What happened to a row."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"


class PendingChange(Table):
    """A change that is not in the feed yet, as writers insert it. `xid` is their transaction, and
    `number` orders the changes of a row."""

    __tablename__ = "pending_changes"

    xid: Mapped[int] = mapped_column(BigInteger, server_default=XID, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noun: Mapped[str]
    entity_id: Mapped[UUID]
    kind: Mapped[str] = choice(ChangeKind, "kind")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    audit_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]


class Change(Table):
    """One change of one row of a noun without a feed of its own.

    `parent_id` is the value of the table's `parent` column, if it has one. `pending_number` is the
    number of the pending change; earlier versions of the gateway insert changes without one, whose
    `seq` is assigned during the commit.
    """

    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noun: Mapped[str]
    entity_id: Mapped[UUID]
    kind: Mapped[str] = choice(ChangeKind, "kind")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    audit_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]
    pending_number: Mapped[int | None] = mapped_column(BigInteger)


class AuditEntry(Table):
    """One operation on one row: the actor, and the columns that differ, before and after. `entity`
    is the table. Ids outlive their rows, so there are no foreign keys."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index(None, "actor", "id"),
        Index(None, "operation", "id"),
        Index(None, "entity", "id"),
        Index(None, "entity_id", "id"),
        Index(None, "request_id", "id"),
    )

    id: Mapped[Id]
    actor: Mapped[UUID | None] = mapped_column(info={"refers": "users"})
    key_id: Mapped[UUID | None] = mapped_column(info={"refers": "api_keys"})
    operation: Mapped[str] = checked(validation.string())
    entity: Mapped[str] = checked(validation.string())
    entity_id: Mapped[UUID] = mapped_column(info={"refers": ANY_TABLE})
    before: Mapped[JsonObject | None]
    after: Mapped[JsonObject | None]
    request_id: Mapped[str | None] = checked(validation.string())
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.audit else visibility.owns(cls.actor)
