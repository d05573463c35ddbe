"""Agents: the fleet that does the work, what it does now and what it reported before."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.agents import STALE_AFTER, AgentStatus
from graph.core.connection import Connection, connected, listed
from graph.core.context import Info, rows
from graph.core.field import column, enum, field, related, value
from graph.core.filter import filters, orders
from graph.core.loader import One, Pages
from graph.core.node import Node, node
from graph.core.permission import scope
from graph.core.scalars import BigInt
from graph.core.span import From, To, span

READ = scope("agents:read")

# Values


@value
class AgentError:
    """Something that went wrong for an agent."""

    at: datetime = field("When the agent reported it.")
    message: str = field("What went wrong, in the agent's words.")


def _errors(root: Any) -> list[AgentError]:
    return [
        AgentError(at=datetime.fromisoformat(entry["at"]), message=entry["error"])
        for entry in root.error_log
    ]


# Loaders


class AgentByKey(One):
    table = db.agents.Agent
    columns = (db.agents.Agent.agent_key,)


class HistoryByAgent(Pages):
    listing = db.agents.HISTORY
    columns = (db.agents.AgentReport.agent_key,)


# Types

enum(
    AgentStatus,
    IDLE="Ready, with nothing to do.",
    STARTING="Getting ready.",
    RUNNING="At work on its task.",
    WAITING="At work, but waiting for somebody or something else.",
    PAUSED="Held by an operator; it goes on when told to.",
    ERROR="Stopped by an error; see `errors`.",
    OFFLINE="Signed off.",
)


@node(db.agents.Agent, access=READ)
class Agent(Node):
    """One of the fleet that does the work, in the state that it last reported."""

    key: str = column("agent_key", "Name of the agent, unique and never changed.")
    status: AgentStatus = field("What it last said it was doing.")
    last_active: datetime = field("When it last reported.")
    is_stale: bool = field(
        f"Whether it has not reported for more than {STALE_AFTER.total_seconds():.0f} seconds, "
        "whatever its status says.",
        resolver=lambda root: db.agents.is_stale(root.last_active),
    )
    current_task: JSON | None = field("What it works on, in its own terms; null without a task.")
    performance_metrics: JSON = field("What it last measured of itself, in its own terms.")
    errors: list[AgentError] = field("Its latest errors, newest last.", resolver=_errors, cost=0)
    created_at: datetime = field("When it was first heard of.")
    updated_at: datetime = field("When anything about it last changed.")
    history: Connection[Annotated["AgentReport", strawberry.lazy("graph.agents")]] = connected(
        HistoryByAgent, "agent_key", description="Its reports, newest first."
    )


@node(db.agents.AgentReport, access=READ)
class AgentReport(Node):
    """One report of one agent, as it came in."""

    seq: BigInt = field("Its place among the reports of all agents, in the order of storing.")
    agent_key: str = field("Name of the agent.")
    status: AgentStatus = field("What the agent said it was doing.")
    previous_status: AgentStatus | None = field(
        "What it said in the report before; null in its first."
    )
    current_task: JSON | None = field("What it worked on, in its own terms; null without a task.")
    performance_metrics: JSON = field("What it measured of itself, in its own terms.")
    error: str | None = field("What went wrong, in the agent's words; null when nothing did.")
    reported_at: datetime = field("When the agent reported.")
    agent: Agent | None = related(
        AgentByKey, "agent_key", description="The agent as it is now; null when it was removed."
    )


@value
class AgentStatusCount:
    """How many agents are in one status."""

    status: AgentStatus = field("The status.")
    count: int = field("Number of agents that last said so.")


@value
class AgentActivity:
    """How one agent used one status in a span of time."""

    agent_key: str = field("Name of the agent.")
    status: AgentStatus = field("The status.")
    changes: int = field("Number of reports with which it came from another status to this one.")
    average_seconds: float | None = field(
        "Mean time from a report of this status to the agent's next report, in seconds, even if "
        "that came after the span; null when none has followed yet."
    )


# Inputs

Key = Annotated[str, strawberry.argument(description="The `key` of an agent.")]


@filters(db.agents.LISTING)
class AgentFilter:
    """Conditions on agents; all given must hold."""


@orders(db.agents.LISTING)
class AgentOrder:
    """Order of agents."""


@filters(db.agents.HISTORY)
class AgentReportFilter:
    """Conditions on reports of agents; all given must hold."""


@orders(db.agents.HISTORY)
class AgentReportOrder:
    """Order of reports of agents."""


# Operations


@strawberry.type
class Queries:
    agents: Connection[Agent] = listed(
        db.agents.LISTING, "Agents, those heard of last first.", READ
    )
    agent_history: Connection[AgentReport] = listed(
        db.agents.HISTORY, "Reports of all agents, newest first.", READ
    )

    @field("The agent with that key; null if there is none.", READ)
    async def agent(self, info: Info, key: Key) -> Agent | None:
        return await AgentByKey.of(info).load(key)

    @field("How many agents are in each status, also where there are none.", READ, cost=10)
    async def agents_by_status(self, info: Info) -> list[AgentStatusCount]:
        return await rows(info, db.agents.by_status())

    @field("What agents did, by agent and status; the last 24 hours by default.", READ, cost=100)
    async def agent_activity(
        self, info: Info, from_: From = UNSET, to: To = UNSET
    ) -> list[AgentActivity]:
        return await rows(info, db.agents.activity(span(from_, to)))
