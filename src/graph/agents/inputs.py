"""Inputs: filters and orders of agents, and the reports that agents send."""

from datetime import datetime

from graphql import GRAPHQL_MAX_INT
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.core.values import validation
from graph.agents.types import AgentStatus
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.ingestion import TIME, batch, batch_key, ingest_input, key
from graph.core.types.mutation import input_type
from graph.core.types.scalars import Number


@filters(db.agents.LISTING)
class AgentFilter:
    """Filter conditions on agents. All given conditions must hold."""


@orders(db.agents.LISTING)
class AgentOrder:
    """Sort order for agents."""


@filters(db.agents.HISTORY)
class AgentReportFilter:
    """Filter conditions on reports of agents. All given conditions must hold."""


@orders(db.agents.HISTORY)
class AgentReportOrder:
    """Sort order for reports of agents."""


@checked(db.agents.AgentReport)
@ingest_input
class ReportFields:
    """The fields that all reports of agents share."""

    agent_key: str = field("Unique key of the agent.")
    current_task: JSON | None = field(
        "Current task of the agent, as free-form JSON. No task if omitted.", default=UNSET
    )
    reported_at: datetime | None = field(f"Time of the report. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class ReportAgentStatusInput(ReportFields):
    """The input fields to report the status of an agent."""

    status: AgentStatus = field("Status of the agent.")
    performance_metrics: JSON | None = field(
        "Metrics that the agent measured of itself. The previous metrics are kept if omitted or "
        "empty.",
        default=UNSET,
    )


@checked(db.agents.AgentReport)
@ingest_input
class AgentStatusItem(ReportFields):
    """The input fields of one report in a batch."""

    status: str = field(
        "Status of the agent, a value of AgentStatus. Any other value rejects this item only."
    )
    performance_metrics: JSON | None = field(
        "Metrics that the agent measured of itself. The previous metrics are kept if omitted or "
        "empty.",
        default=UNSET,
    )


@ingest_input
class ReportAgentStatusesInput:
    """The input fields to report the statuses of several agents. Each report is stored or rejected
    on its own."""

    reports: list[AgentStatusItem] = batch("The reports, of one agent or several.")
    idempotency_key: str | None = batch_key()


@ingest_input
class ReportAgentPerformanceInput(ReportFields):
    """The input fields to report the performance of an agent. Updates the agent's state and records
    two metrics, `agent_<key>_response_time` and `agent_<key>_success_rate`."""

    status: AgentStatus = field("Status of the agent.")
    response_time: Number = field(
        "Response time in milliseconds, below 10^9.",
        check=db.agents.reports.PERFORMANCE["response_time"],
    )
    success_rate: Number = field(
        "Success rate in percent, 0 to 100.",
        check=db.agents.reports.PERFORMANCE["success_rate"],
    )
    task_count: int | None = field(
        "Number of completed tasks.", check=validation.within(0, GRAPHQL_MAX_INT), default=UNSET
    )
    task_type: str | None = field(
        "Type of the task that was measured.", check=validation.string(200, 0), default=UNSET
    )


@checked(db.agents.AgentReport)
@ingest_input
class ReportAgentErrorInput(ReportFields):
    """The input fields to report an error of an agent."""

    message: str = field("Error message of the agent.", column="error")
    current_task: JSON | None = field(
        "The task that failed. The agent's current task if omitted, no task if null.",
        default=UNSET,
    )
    status: AgentStatus = field("Status of the agent after the error.", default=AgentStatus.ERROR)


@checked(db.agents.AgentReport)
@input_type
class DeleteAgentInput:
    """The input fields to delete an agent."""

    agent_key: str = field("Unique key of the agent.")
