"""Audit: who changed what; and the feed that says that something changed."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import CreatedAt, Id, Table, choice


class ChangeKind(StrEnum):
    """What happened to a row."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    DELETED = "DELETED"


class Change(Table):
    """One change of one row of a noun that has no feed of its own."""

    __tablename__ = "changes"

    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    noun: Mapped[str]
    entity_id: Mapped[UUID]
    kind: Mapped[str] = choice(ChangeKind, "kind")
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


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
