"""Agents: the fleet that does the work, what it does now and what it reported before."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.agents import STALE_AFTER, AgentStatus
from db.core.item import Item
from graph.core.connection import Connection, connected, listed
from graph.core.context import Info, rows
from graph.core.errors import NotFound
from graph.core.field import column, enum, field, related, value
from graph.core.filter import filters, orders
from graph.core.loader import One, Pages
from graph.core.mutation import Given, act, given, result
from graph.core.node import Node, id_of, node
from graph.core.permission import scope
from graph.core.reporting import (
    BATCH_KEY,
    KEY,
    Reporting,
    many_result,
    one_result,
    reported,
)
from graph.core.scalars import BigInt
from graph.core.span import From, To, span

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


@reported
class ReportFields:
    """What every report of an agent has."""

    agent_key: str = field("Name of the agent, 1 to 200 characters.")
    current_task: JSON | None = field("What it works on; left out, nothing.", default=UNSET)
    reported_at: datetime | None = field("When it reported; now by default.", default=UNSET)
    idempotency_key: str | None = field(KEY, default=UNSET)


@reported
class ReportAgentStatusInput(ReportFields):
    """What one agent does now."""

    status: AgentStatus = field("What it is doing.")
    performance_metrics: JSON | None = field(
        "What it measured of itself; left out or empty, what it measured before stays.",
        default=UNSET,
    )


@reported
class AgentStatusItem(ReportFields):
    """One report of a batch."""

    status: str = field(
        "What the agent is doing, one of AgentStatus; anything else refuses this item alone."
    )
    performance_metrics: JSON | None = field(
        "What it measured of itself; left out or empty, what it measured before stays.",
        default=UNSET,
    )


@reported
class ReportAgentStatusesInput:
    """What agents do now, stored as far as each report is acceptable."""

    reports: list[AgentStatusItem] = field("At most 1,000 reports, of one agent or of many.")
    idempotency_key: str | None = field(BATCH_KEY, default=UNSET)


@reported
class ReportAgentPerformanceInput(ReportFields):
    """How well one agent works. It becomes its state and two metrics named after it,
    `agent_<key>_response_time` and `agent_<key>_success_rate`."""

    status: AgentStatus = field("What it is doing.")
    response_time: float = field("How long it takes to respond, in milliseconds.")
    success_rate: float = field("How often it succeeds, in percent.")
    task_count: int | None = field("Number of tasks it has done.", default=UNSET)
    task_type: str | None = field("What kind of task it was measured at.", default=UNSET)


@reported
class ReportAgentErrorInput(ReportFields):
    """What went wrong for one agent."""

    message: str = field("What went wrong, in the agent's words.")
    status: AgentStatus = field("What it is doing now.", default=AgentStatus.ERROR)


@given
class ForgetAgentInput:
    """An agent that is gone for good."""

    agent_key: str = field("Name of the agent.")


# Results


@value
class AgentForgotten:
    """The present state of an agent was removed; its history stays."""

    agent_key: str = field("Name of the agent.")
    event_id: strawberry.ID = field("Id of the event that tells of it.")


ReportAgentStatusResult = one_result("ReportAgentStatusResult")
ReportAgentStatusesResult = many_result("ReportAgentStatusesResult")
ReportAgentPerformanceResult = one_result("ReportAgentPerformanceResult")
ReportAgentErrorResult = one_result("ReportAgentErrorResult")
ForgetAgentResult = result("ForgetAgentResult", AgentForgotten, NotFound)


def _report(given: Any, at: datetime, key: str | None, **more: Any) -> Item:
    metrics = given.get("performanceMetrics")
    row = {
        "agent_key": given["agentKey"],
        "status": given["status"],
        "current_task": given.get("currentTask"),
        "performance_metrics": {} if metrics is None else metrics,
        "error": given.get("message"),
    }
    return db.reports.report(row, at, key, **more)


def _status(_: Info, given: Any, at: datetime, key: str | None) -> Item:
    return _report(given, at, key)


def _performance(_: Info, given: Any, at: datetime, key: str | None) -> Item:
    """As DreamNet's PerformanceTracker: the metrics, and the same figures in the state."""
    names = ("responseTime", "successRate", "taskCount")
    figures = {name: given[name] for name in names if given.get(name) is not None}
    tags = {"agent_key": given["agentKey"], "task_type": given.get("taskType")}
    measured = db.reports.performance(at, figures["responseTime"], figures["successRate"], tags)
    return _report({**given, "performanceMetrics": figures}, at, key, measured=measured)


def _reporting(make: Any) -> Reporting:
    record = db.agents.AgentReport.Record
    return Reporting(db.reports.REPORTED, record, make, time="reportedAt")


STATUS, PERFORMANCE = _reporting(_status), _reporting(_performance)

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


@strawberry.type
class Mutations:
    @field(
        "Report what an agent does: its new state, a line of its history, and an event "
        "`agent_status_update`. A report older than the state only goes to the history.",
        WRITE,
        graphql_type=ReportAgentStatusResult,
    )
    async def report_agent_status(self, info: Info, input: Given[ReportAgentStatusInput]) -> Any:
        return await STATUS.one(info, input)

    @field("Report what agents do, many at once.", WRITE, graphql_type=ReportAgentStatusesResult)
    async def report_agent_statuses(
        self, info: Info, input: Given[ReportAgentStatusesInput]
    ) -> Any:
        return await STATUS.many(info, input, "reports")

    @field("Report how well an agent works.", WRITE, graphql_type=ReportAgentPerformanceResult)
    async def report_agent_performance(
        self, info: Info, input: Given[ReportAgentPerformanceInput]
    ) -> Any:
        return await PERFORMANCE.one(info, input)

    @field(
        "Report what went wrong for an agent; its state keeps the 20 newest errors.",
        WRITE,
        graphql_type=ReportAgentErrorResult,
    )
    async def report_agent_error(self, info: Info, input: Given[ReportAgentErrorInput]) -> Any:
        return await STATUS.one(info, input)

    @field("Remove the present state of an agent.", WRITE, graphql_type=ForgetAgentResult)
    async def forget_agent(self, info: Info, input: Given[ForgetAgentInput]) -> Any:
        async with info.context.db.write(act(info)) as session:
            event = await db.reports.forget(session, input.agent_key)
        event_id = strawberry.ID(id_of(db.events.Event.Record, event))
        return AgentForgotten(agent_key=input.agent_key, event_id=event_id)
