"""Agents: the fleet that does the work; its present state, and every report it made."""

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Executable,
    Index,
    Subquery,
    Text,
    any_,
    extract,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, aliased, mapped_column

from db import config
from db.core import check
from db.core.batch import wanted
from db.core.database import Database, ReadSession
from db.core.errors import Unavailable
from db.core.listing import Listing, by_name
from db.core.span import Span
from db.core.table import CreatedAt, Id, Json, Table, UpdatedAt, checked, choice, sequence

LOOK_SECONDS = 1.0
FORMERLY = timedelta(seconds=5)
WATCHED = timedelta(hours=24)


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
    agent_key: Mapped[str] = checked(check.string(), unique=True)
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
    agent_key: Mapped[str] = checked(check.string())
    status: Mapped[str] = choice(AgentStatus, "status")
    previous_status: Mapped[str | None] = choice(AgentStatus, "previous_status")
    current_task: Mapped[dict[str, Any] | None]
    performance_metrics: Mapped[Json]
    error: Mapped[str | None] = checked(check.string(check.MAX_TEXT, 0))
    reported_at: Mapped[datetime]


LISTING = Listing(
    Agent,
    filters=by_name(
        Agent.status, Agent.last_active, Agent.created_at, Agent.updated_at, key=Agent.agent_key
    ),
    orders={
        "CREATED_AT": Agent.id,
        "KEY": Agent.agent_key,
        "STATUS": Agent.status,
        "LAST_ACTIVE": Agent.last_active,
    },
)

HISTORY = Listing(
    AgentReport,
    filters=by_name(
        AgentReport.agent_key,
        AgentReport.status,
        AgentReport.previous_status,
        AgentReport.error,
        AgentReport.reported_at,
    ),
    orders={"REPORTED_AT": AgentReport.id},
    time=AgentReport.reported_at,
)


def is_silent(last_active: datetime, seconds: Decimal) -> bool:
    """Whether an agent that was last active then has been silent for longer than that."""
    return datetime.now(UTC) - last_active > timedelta(seconds=float(seconds))


async def states(
    session: ReadSession, keys: Collection[str] | None, statuses: Collection[str] | None = None
) -> list[Any]:
    """The agents with those keys, or all, that are in one of those statuses, or in any; by key."""
    among = [(Agent.agent_key, keys), (Agent.status, statuses)]
    chosen = [column == any_(literal(list(v), ARRAY(Text))) for column, v in among if v is not None]
    return await session.records(Agent, Agent.select().where(*chosen).order_by(Agent.agent_key))


async def by_keys(session: ReadSession, keys: Collection[str]) -> dict[str, Any]:
    """The agents with those keys, by key."""
    return {agent.agent_key: agent for agent in await states(session, keys)}


def reports_of(keys: Collection[str] | None) -> tuple[ColumnElement[bool], ...]:
    """The condition that a report is of one of those agents; none for all."""
    among = literal(list(keys or ()), ARRAY(Text))
    return () if keys is None else (AgentReport.agent_key == any_(among),)


async def stale(session: ReadSession, ago: timedelta = timedelta()) -> frozenset[str]:
    """The keys of the agents that are silent for too long, or were some time ago."""
    seconds = await config.number(session, config.STALE_AFTER)
    since = func.now() - ago - timedelta(seconds=float(seconds))
    rows = await session.rows(select(Agent.agent_key).where(Agent.last_active < since))
    return frozenset(key for (key,) in rows)


async def turning_stale(database: Database) -> AsyncIterator[frozenset[str]]:
    """The keys of agents that become silent for too long, or no longer are, as it happens: there is
    no report of it. It begins with those who became so in the last seconds."""
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


def by_status() -> Executable:
    """The number of agents in each status, in the order of the enumeration."""
    statuses = wanted((Agent.status,), list(AgentStatus))
    status = statuses.c.k0
    return (
        select(status.label("status"), func.count(Agent.id).label("count"))
        .join_from(statuses, Agent, Agent.status == status, isouter=True)
        .group_by(status, statuses.c.position)
        .order_by(statuses.c.position)
    )


def activity(span: Span) -> Executable:
    """Per agent and status the reports that changed to it, and the mean time until the agent's next
    report, in seconds; the last 24 hours by default."""
    steps = _steps(span.or_last(WATCHED))
    key, status, changed = steps.c.agent_key, steps.c.status, steps.c.changed
    seconds = extract("epoch", steps.c.until - steps.c.since)
    return (
        select(
            *(key, status, func.count().filter(changed).label("changes")),
            func.avg(seconds).label("average_seconds"),
        )
        .group_by(key, status)
        .order_by(key, status)
    )


def _steps(span: Span) -> Subquery:
    """The reports of a span, each until its agent's next one, which may lie beyond the span."""
    following = aliased(AgentReport)
    beyond = (
        select(following.reported_at)
        .where(following.agent_key == AgentReport.agent_key, following.id > AgentReport.id)
        .order_by(following.id)
        .limit(1)
        .scalar_subquery()
    )
    within = func.lead(AgentReport.reported_at).over(
        partition_by=AgentReport.agent_key, order_by=AgentReport.id
    )
    steps = select(
        AgentReport.agent_key,
        AgentReport.status,
        AgentReport.status.is_distinct_from(AgentReport.previous_status).label("changed"),
        AgentReport.reported_at.label("since"),
        func.coalesce(within, beyond).label("until"),  # looks beyond for the last of each agent
    )
    return steps.where(*span.of(AgentReport.id)).subquery("steps")
