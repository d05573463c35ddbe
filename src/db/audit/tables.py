"""Tables: the audit log and the `changes` feed."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Identity,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import (
    CreatedAt,
    Id,
    JsonObject,
    Table,
    choice,
)


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
