"""Agents: the fleet that does the work; its present state, and every report it made."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import CreatedAt, Id, Json, Table, UpdatedAt, choice, sequence

STALE_AFTER = timedelta(seconds=60)


class AgentStatus(StrEnum):
    """What an agent last said it was doing."""

    IDLE = "IDLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    PAUSED = "PAUSED"
    ERROR = "ERROR"
    OFFLINE = "OFFLINE"


class Agent(Table):
    """The present state of one agent."""

    __tablename__ = "agent_states"

    id: Mapped[Id]
    agent_key: Mapped[str] = mapped_column(unique=True)
    status: Mapped[str] = choice(AgentStatus, "status", server_default=AgentStatus.IDLE, index=True)
    last_active: Mapped[datetime]
    current_task: Mapped[dict[str, Any] | None]
    performance_metrics: Mapped[Json]
    error_log: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class AgentReport(Table):
    """One report of one agent, as it came in."""

    __tablename__ = "agent_history"
    __table_args__ = (
        Index(None, "agent_key", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    seq: Mapped[int] = sequence("agent_history_seq")
    agent_key: Mapped[str]
    status: Mapped[str] = choice(AgentStatus, "status")
    previous_status: Mapped[str | None] = choice(AgentStatus, "previous_status")
    current_task: Mapped[dict[str, Any] | None]
    performance_metrics: Mapped[Json]
    error: Mapped[str | None]
    reported_at: Mapped[datetime]
