"""Events: what happened in the system, in the order it was stored."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Id, Json, Table, choice, sequence


class EventSeverity(StrEnum):
    """How much an event matters."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"
    CRITICAL = "CRITICAL"


class Event(Table):
    """One thing that happened."""

    __tablename__ = "system_events"
    __table_args__ = (
        Index(None, "event_type", "id"),
        Index(None, "source", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    seq: Mapped[int] = sequence("system_events_seq")
    event_type: Mapped[str]
    source: Mapped[str]
    severity: Mapped[str] = choice(EventSeverity, "severity", server_default=EventSeverity.INFO)
    payload: Mapped[Json]
    timestamp: Mapped[datetime]
    metadata_: Mapped[Json] = mapped_column("metadata")
    user_id: Mapped[UUID | None]
