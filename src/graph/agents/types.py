"""Types: agents, their reports and statistics of both."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry.scalars import JSON

import db
from db.agents import AgentStatus as AgentStatus
from db.config import numbers
from graph.config import NumberByKey
from graph.core.context import Info
from graph.core.loader import One, Pages
from graph.core.permission import scope
from graph.core.types.connection import Connection, connected
from graph.core.types.facets import Facet, facet, facets
from graph.core.types.field import column, enum, field, related, value
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt

READ, WRITE = scope("agents:read"), scope("agents:write")

# Values


@value
class AgentError:
    """An error that an agent reported."""

    at: datetime = field("When the agent reported the error.")
    message: str = field("Error message of the agent.")


def _errors(root: db.agents.Agent) -> list[AgentError]:
    return [
        AgentError(at=datetime.fromisoformat(entry["at"]), message=entry["error"])
        for entry in root.error_log
    ]


# Loaders


class AgentByKey(One[db.agents.Agent]):
    table = db.agents.Agent
    columns = (db.agents.Agent.agent_key,)


class HistoryByAgent(Pages):
    listing = db.agents.HISTORY
    columns = (db.agents.AgentReport.agent_key,)


# Types


async def _is_stale(root: db.agents.Agent, info: Info) -> bool:
    seconds = await NumberByKey.of(info).load(numbers.STALE_AFTER)
    return db.agents.is_silent(root.last_active, await info.context.db.now(), seconds)


enum(
    AgentStatus,
    IDLE="Ready, without a task.",
    STARTING="Starting up.",
    RUNNING="Working on its current task.",
    WAITING="Waiting for another agent, a user or a service.",
    PAUSED="Paused by an operator until resumed.",
    ERROR="Stopped by an error. See `errors`.",
    OFFLINE="Signed off, removed, or without a report for longer than the setting "
    "`agents.offline_after_seconds`, 300 seconds by default.",
)


@node(db.agents.Agent, access=READ, viewer_independent=True)
class Agent(Node):
    """A worker of DreamNet, in the state that it last reported."""

    key: str = column("agent_key", "Unique key of the agent. Never changes.")
    status: AgentStatus = field(
        "Status in the newest report. Reports are ordered by when they were made, but no later "
        "than they were received, then by the order they were stored. OFFLINE as well when no "
        "report was received for longer than the setting `agents.offline_after_seconds`, until "
        "the next report."
    )
    last_active: datetime = field(
        "When the last report was received, by the clock of the database. For an agent known only "
        "from imported reports, when its newest report was made."
    )
    received_at: datetime | None = field(
        "When the last report was received, by the clock of the database. Null while the status "
        "is that of an imported report; such an agent is never signed off."
    )
    is_stale: bool = field(
        "True if `lastActive` is longer ago than the setting `agents.stale_after_seconds`, 60 "
        "seconds by default. Independent of `status`.",
        resolver=_is_stale,
        reads=("last_active",),
        cost=0,
    )
    current_task: JSON | None = field(
        "Current task of the agent, as free-form JSON. Null without a task."
    )
    performance_metrics: JSON = field(
        "Metrics that the agent last measured of itself, as free-form JSON."
    )
    errors: list[AgentError] = field(
        "Latest errors of the agent, newest last.", resolver=_errors, reads=("error_log",), cost=0
    )
    created_at: datetime = field("When the agent was created.")
    updated_at: datetime = field("When the agent was last updated.")
    history: Connection[Annotated["AgentReport", strawberry.lazy("graph.agents")]] = connected(
        HistoryByAgent, "agent_key", description="Reports of the agent, newest first."
    )


@node(db.agents.AgentReport, access=READ, viewer_independent=True)
class AgentReport(Node):
    """A report of an agent, as it was received."""

    seq: BigInt = field(
        "Sequence number among the reports of all agents, in the order they were stored."
    )
    agent_key: str = field("Unique key of the agent.")
    status: AgentStatus = field("Status that the agent reported.")
    previous_status: AgentStatus | None = field(
        "Status in the previous report. Null in the agent's first report."
    )
    current_task: JSON | None = field(
        "Task of the agent at the time, as free-form JSON. Null without a task."
    )
    performance_metrics: JSON = field(
        "Metrics that the agent measured of itself, as free-form JSON."
    )
    error: str | None = field("Error message of the agent. Null if no error was reported.")
    reported_at: datetime = field("When the report was made, by the agent's clock.")
    received_at: datetime | None = field(
        "When the report was received, by the clock of the database. Null for imported reports "
        "and for reports stored by versions that did not record it."
    )
    agent: Agent | None = related(
        AgentByKey,
        "agent_key",
        description="The agent in its current state. Null if it was removed.",
    )


@value
class AgentStatusCount:
    """Number of agents in one status."""

    status: AgentStatus = field("The status.")
    count: int = field("Number of agents whose last report has this status.")


@value
class AgentsByStatus:
    """Numbers of all agents at one moment."""

    at: datetime = field("When the agents were counted.")
    stale: int = field("Number of agents that have not reported recently, see `Agent.isStale`.")
    counts: list[AgentStatusCount] = field("Number of agents in each status.", cost=0)


@value
class AgentActivity:
    """Statistics of one agent in one status within a time range."""

    agent_key: str = field("Unique key of the agent.")
    status: AgentStatus = field("The status.")
    changes: int = field(
        "Number of reports in which the agent changed to this status from another."
    )
    average_seconds: float | None = field(
        "Mean seconds from a report of this status until the agent's next report or sign-off, "
        "even if that is after the time range. Null if none followed. Reports are dated by when "
        "they were made, but no later than they were received."
    )


@value
class AgentFacets:
    """Numbers of agents by the values of some fields."""

    by_status: list[Facet[AgentStatus]] = facet("status", AgentStatus)


@value
class AgentConnection(Connection[Agent]):
    """A page of a list of agents."""

    facets: AgentFacets = facets(AgentFacets)
