"""Types: agents, what they reported, and what that amounts to."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

import db
from db.agents import AgentStatus as AgentStatus
from graph.config import NumberByKey
from graph.core.context import Info
from graph.core.loader import One, Pages
from graph.core.permission import scope
from graph.core.types.connection import Connection, connected
from graph.core.types.field import column, enum, field, related, value
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt

READ, WRITE = scope("agents:read"), scope("agents:write")

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


async def _is_stale(root: Any, info: Info) -> bool:
    seconds = await NumberByKey.of(info).load(db.config.STALE_AFTER)
    return db.agents.is_silent(root.last_active, await info.context.db.now(), seconds)


enum(
    AgentStatus,
    IDLE="Ready, with nothing to do.",
    STARTING="Getting ready.",
    RUNNING="At work on its task.",
    WAITING="At work, but waiting for somebody or something else.",
    PAUSED="Held by an operator; it goes on when told to.",
    ERROR="Stopped by an error; see `errors`.",
    OFFLINE="Signed off, forgotten, or silent for longer than the setting "
    "`agents.offline_after_seconds` says, 300 by default.",
)


@node(db.agents.Agent, access=READ, viewer_independent=True)
class Agent(Node):
    """One of the fleet that does the work, in the state that it last reported."""

    key: str = column("agent_key", "Name of the agent, unique and never changed.")
    status: AgentStatus = field(
        "What it was doing in its newest report, by when it was made but no later than it came in, "
        "and then by the order of storing. OFFLINE as well once nothing has come in for longer "
        "than the setting `agents.offline_after_seconds` says, until the next report comes in."
    )
    last_active: datetime = field(
        "When its last report came in, by the clock of the database; of an agent that is known "
        "from imported reports alone, when it made the newest one."
    )
    received_at: datetime | None = field(
        "When its last report came in, by the clock of the database; null while its status is that "
        "of an imported report. Such an agent is never signed off."
    )
    is_stale: bool = field(
        "Whether `lastActive` is longer ago than the setting `agents.stale_after_seconds` says, 60 "
        "seconds by default, whatever its status says.",
        resolver=_is_stale,
        cost=0,
    )
    current_task: JSON | None = field("What it works on, in its own terms; null without a task.")
    performance_metrics: JSON = field("What it last measured of itself, in its own terms.")
    errors: list[AgentError] = field("Its latest errors, newest last.", resolver=_errors, cost=0)
    created_at: datetime = field("When it was first heard of.")
    updated_at: datetime = field("When anything about it last changed.")
    history: Connection[Annotated["AgentReport", strawberry.lazy("graph.agents")]] = connected(
        HistoryByAgent, "agent_key", description="Its reports, newest first."
    )


@node(db.agents.AgentReport, access=READ, viewer_independent=True)
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
    reported_at: datetime = field("When the agent made the report, by its own clock.")
    received_at: datetime | None = field(
        "When it came in, by the clock of the database; null for imported reports, and for those "
        "stored before this was kept."
    )
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
        "Mean time from a report of this status until the agent's next report or until it was "
        "signed off, in seconds, even if that came after the span; null when none has followed. "
        "Reports count when they were made, but no later than they came in."
    )
