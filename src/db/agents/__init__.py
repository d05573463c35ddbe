"""Agents: the states of agents, and their reports."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TypedDict

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Executable,
    Index,
    Text,
    any_,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.config import numbers
from db.core.errors import Unavailable
from db.core.query.batch import requested_keys
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import Database, ReadSession
from db.core.table import (
    Column,
    CreatedAt,
    Expression,
    Id,
    Json,
    JsonObject,
    Table,
    UpdatedAt,
    checked,
    choice,
    sequence,
)
from db.core.values import validation

LOOK_SECONDS = 1.0
FORMERLY = timedelta(seconds=5)


class AgentStatus(StrEnum):
    """The status of an agent."""

    IDLE = "IDLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    PAUSED = "PAUSED"
    ERROR = "ERROR"
    OFFLINE = "OFFLINE"


class LoggedError(TypedDict):
    """An error in the log of an agent: its time as RFC 3339, and its message."""

    at: str
    error: str


class Agent(Table):
    """The present state of one agent.

    `status` is that of its newest report, made at `reported_at` with the number `last_seq`; an
    agent marked OFFLINE by the gateway has no `reported_at`. `received_at` is the time of the last
    report by the clock of the database, or null for an imported one. `last_active` is
    `received_at`, or else `reported_at`.
    """

    __tablename__ = "agent_states"

    id: Mapped[Id]
    agent_key: Mapped[str] = checked(validation.string(), unique=True)
    status: Mapped[str] = choice(AgentStatus, "status", server_default=AgentStatus.IDLE, index=True)
    last_active: Mapped[datetime]
    reported_at: Mapped[datetime | None]
    received_at: Mapped[datetime | None] = mapped_column(server_default=func.now())
    current_task: Mapped[JsonObject | None]
    performance_metrics: Mapped[Json]
    error_log: Mapped[list[LoggedError]] = mapped_column(JSONB, server_default=text("'[]'"))
    last_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class AgentReport(Table):
    """One report of one agent. `reported_at` is by the clock of the agent, `received_at` by that of
    the database, or null for imported reports."""

    __tablename__ = "agent_history"
    __table_args__ = (
        Index(None, "agent_key", "id"),
        Index(
            "ix_agent_history_unusual",
            *("status", "id"),
            postgresql_where=text("status in ('STARTING', 'PAUSED', 'ERROR', 'OFFLINE')"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    seq: Mapped[int] = sequence("agent_history_seq")
    agent_key: Mapped[str] = checked(validation.string())
    status: Mapped[str] = choice(AgentStatus, "status")
    previous_status: Mapped[str | None] = choice(AgentStatus, "previous_status")
    current_task: Mapped[JsonObject | None]
    performance_metrics: Mapped[Json]
    error: Mapped[str | None] = checked(validation.string(validation.MAX_TEXT, 0))
    reported_at: Mapped[datetime]
    received_at: Mapped[datetime | None] = mapped_column(server_default=func.clock_timestamp())


LISTING = ListSpec(
    Agent,
    grows=False,
    filters=columns_by_name(
        Agent.status, Agent.last_active, Agent.created_at, Agent.updated_at, key=Agent.agent_key
    ),
    orders={
        "CREATED_AT": Agent.id,
        "KEY": Agent.agent_key,
        "STATUS": Agent.status,
        "LAST_ACTIVE": Agent.last_active,
    },
    facets=columns_by_name(Agent.status),
    most=500,
)

HISTORY = ListSpec(
    AgentReport,
    filters=columns_by_name(
        AgentReport.agent_key,
        AgentReport.status,
        AgentReport.previous_status,
        AgentReport.error,
        AgentReport.reported_at,
        AgentReport.received_at,
    ),
    orders={"REPORTED_AT": AgentReport.id},
    time=AgentReport.reported_at,
    most=500,
)


def is_silent(last_active: datetime, now: datetime, seconds: Decimal) -> bool:
    return now - last_active > timedelta(seconds=float(seconds))


# The time of a report, limited by its arrival: the clock of an agent may be ahead. PostgreSQL
# ignores the null of imported reports here.
MADE_AT = func.least(AgentReport.reported_at, AgentReport.received_at)


async def states(
    session: ReadSession, keys: Collection[str] | None, statuses: Collection[str] | None = None
) -> list[Agent]:
    among = [(Agent.agent_key, keys), (Agent.status, statuses)]
    chosen = [column == any_(literal(list(v), ARRAY(Text))) for column, v in among if v is not None]
    return await session.records(Agent, Agent.select().where(*chosen).order_by(Agent.agent_key))


async def by_keys(session: ReadSession, keys: Collection[str]) -> dict[str, Agent]:
    return {agent.agent_key: agent for agent in await states(session, keys)}


def reports_of(keys: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    among = literal(list(keys or ()), ARRAY(Text))
    return () if keys is None else (AgentReport.agent_key == any_(among),)


async def stale(session: ReadSession, ago: timedelta = timedelta()) -> frozenset[str]:
    seconds = await numbers.read(session, numbers.STALE_AFTER)
    since = session.now() - ago - timedelta(seconds=float(seconds))
    rows = await session.rows(select(Agent.agent_key).where(Agent.last_active < since))
    return frozenset(key for (key,) in rows)


async def turning_stale(database: Database) -> AsyncIterator[frozenset[str]]:
    """Yield the keys of agents that become stale or active again, which no report announces. Begins
    with those that became stale in the last `FORMERLY`."""
    before: frozenset[str] | None = None
    while True:
        with suppress(Unavailable):
            async with database.read() as session:
                before = await stale(session, FORMERLY) if before is None else before
                now = await stale(session)
            if now != before:
                yield now ^ before
            before = now
        await asyncio.sleep(LOOK_SECONDS)


def of_same_agent(
    key: Column, other: Column | Expression
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """The conditions that a report has the key of another, for statements that select the first
    by agent and id. A range, for the index: see `batch.within`."""
    return key >= other, key <= other


def by_status() -> Executable:
    statuses = requested_keys((Agent.status,), list(AgentStatus))
    status = statuses.c.k0
    return (
        select(status.label("status"), func.count(Agent.id).label("count"))
        .join_from(statuses, Agent, Agent.status == status, isouter=True)
        .group_by(status, statuses.c.position)
        .order_by(statuses.c.position)
    )
