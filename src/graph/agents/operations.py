"""Operations: queries of agents, and mutations that store their reports."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db.agents import sums
from db.core.ingest.rows import IngestRow, RowTemplate
from db.core.table import Row
from db.core.values import validation
from graph.agents.inputs import (
    DeleteAgentInput,
    ReportAgentErrorInput,
    ReportAgentPerformanceInput,
    ReportAgentStatusesInput,
    ReportAgentStatusInput,
)
from graph.agents.types import (
    READ,
    WRITE,
    Agent,
    AgentActivity,
    AgentByKey,
    AgentConnection,
    AgentReport,
    AgentStatusCount,
)
from graph.core.context import Context, Info, as_source, rows
from graph.core.types.aggregate import Aggregate, aggregate, page_of_rows
from graph.core.types.connection import Connection, listed
from graph.core.types.field import argument, field, names_of, value
from graph.core.types.groups import MAX_GROUPS, First, Skip
from graph.core.types.ingestion import (
    IngestMutation,
    ItemInput,
    Stored,
    StoredItems,
)
from graph.core.types.mutation import Input, audit_context, mutation
from graph.core.types.node import id_of
from graph.core.types.time_range import From, To, reveals_time, window

Key = Annotated[str, argument("Key of the agent.", validation.string(200, 0))]

# Results


@value
class AgentDeleted:
    """The current state of an agent was deleted. Its reports are kept."""

    deleted_agent_id: strawberry.ID | None = field("ID of the deleted agent.", default=None)
    event_id: strawberry.ID | None = field(
        "ID of the event that records the deletion.", default=None
    )


def _row(given: ItemInput) -> Row:
    metrics = given.get("performanceMetrics")
    return {
        "agent_key": given["agentKey"],
        "status": given["status"],
        "current_task": given.get("currentTask"),
        "performance_metrics": {} if metrics is None else metrics,
        "error": given.get("message"),
    }


def _status(given: ItemInput) -> RowTemplate:
    return db.agents.reports.report_template(_row(given))


def _error(_: Context, given: ItemInput, at: datetime, key: str | None) -> IngestRow:
    keeps_task = "currentTask" not in given
    return db.agents.reports.report(_row(given), at, key, keeps_task=keeps_task)


def _performance(_: Context, given: ItemInput, at: datetime, key: str | None) -> IngestRow:
    """Record the metrics and copy the figures to the state, like DreamNet's PerformanceTracker."""
    names = ("responseTime", "successRate", "taskCount")
    figures = {name: given[name] for name in names if given.get(name) is not None}
    tags = {"agent_key": given["agentKey"], "task_type": given.get("taskType")}
    measured = db.agents.reports.performance(
        at, figures["responseTime"], figures["successRate"], tags
    )
    row = _row({**given, "performanceMetrics": figures})
    return db.agents.reports.report(row, at, key, measured=measured)


NAMES = {
    **names_of(ReportAgentStatusInput),
    **names_of(ReportAgentPerformanceInput),
    **names_of(ReportAgentErrorInput),
}


TARGET, RECORD, TIME = db.agents.reports.REPORTED, db.agents.AgentReport.Record, "reportedAt"
STATUS = IngestMutation.of_template(TARGET, RECORD, _status, NAMES, TIME)
PERFORMANCE = IngestMutation(TARGET, RECORD, _performance, NAMES, TIME)
ERROR = IngestMutation(TARGET, RECORD, _error, NAMES, TIME)

BY_KEY = {"key": db.agents.Agent.agent_key}
TIMES = reveals_time(db.agents.AgentReport.reported_at)


@strawberry.type
class Queries:
    agents: AgentConnection = listed(db.agents.LISTING, "Agents, most recently active first.", READ)
    agent_history: Connection[AgentReport] = listed(
        db.agents.HISTORY, "Reports of all agents, newest first.", READ, stale_ok=True
    )

    @field("The agent with this key, or null if it does not exist.", READ, reveals=BY_KEY)
    async def agent(self, info: Info, key: Key) -> Agent | None:
        return as_source(await AgentByKey.of(info).load(key))

    @field("Number of agents in each status. Statuses without agents are included.", READ, cost=10)
    async def agents_by_status(self, info: Info) -> list[AgentStatusCount]:
        return await rows(info, db.agents.by_status())

    @field(
        "Status changes by agent and status, by key. The last 24 hours by default.",
        READ,
        cost=100,
        reveals=TIMES,
        stale_ok=True,
    )
    async def agent_activity(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        first: First = MAX_GROUPS,
        skip: Skip = 0,
    ) -> Aggregate[AgentActivity]:
        span, visibility = await window(info, from_, to, sums.WATCHED), info.context.db.visibility
        page = sums.activity(span, visibility, first, skip)
        return as_source(await aggregate(info, span, page, sums.times(), page_of_rows))


@strawberry.type
class Mutations:
    @mutation(
        "Report the status of an agent. Updates its state, adds a report to its history, and logs "
        "an `agent_status_update` event. A report older than the newest one does not change the "
        "status, but still counts as a sign of life.",
        WRITE,
        Stored,
        shows=STATUS.one_item,
    )
    async def report_agent_status(self, info: Info, input: Input[ReportAgentStatusInput]) -> Stored:
        return await STATUS.one(info, input)

    @mutation("Report the statuses of several agents.", WRITE, StoredItems)
    async def report_agent_statuses(
        self, info: Info, input: Input[ReportAgentStatusesInput]
    ) -> StoredItems:
        return await STATUS.many(info, input, "reports")

    @mutation(
        "Report the performance of an agent.",
        WRITE,
        Stored,
        shows=PERFORMANCE.one_item,
    )
    async def report_agent_performance(
        self, info: Info, input: Input[ReportAgentPerformanceInput]
    ) -> Stored:
        return await PERFORMANCE.one(info, input)

    @mutation(
        "Report an error of an agent. The agent's state keeps the 20 newest errors.",
        WRITE,
        Stored,
        shows=ERROR.one_item,
    )
    async def report_agent_error(self, info: Info, input: Input[ReportAgentErrorInput]) -> Stored:
        return await ERROR.one(info, input)

    @mutation(
        "Delete the current state of an agent. Its reports are kept, and its next one creates it "
        "again.",
        WRITE,
        AgentDeleted,
    )
    async def delete_agent(self, info: Info, input: Input[DeleteAgentInput]) -> AgentDeleted:
        async with info.context.db.write(audit_context(info)) as session:
            agent, event = await db.agents.reports.forget(session, input.agent_key)
        return AgentDeleted(
            deleted_agent_id=strawberry.ID(id_of(db.agents.Agent.Record, agent)),
            event_id=strawberry.ID(id_of(db.events.Event.Record, event)),
        )
