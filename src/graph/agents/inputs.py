"""Inputs: what is asked of agents, and what they report."""

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


@checked(db.agents.AgentReport)
@ingest_input
class ReportFields:
    """What every report of an agent has."""

    agent_key: str = field("Name of the agent.")
    current_task: JSON | None = field("What it works on; left out, nothing.", default=UNSET)
    reported_at: datetime | None = field(f"When it reported. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class ReportAgentStatusInput(ReportFields):
    """What one agent does now."""

    status: AgentStatus = field("What it is doing.")
    performance_metrics: JSON | None = field(
        "What it measured of itself; left out or empty, what it measured before stays.",
        default=UNSET,
    )


@checked(db.agents.AgentReport)
@ingest_input
class AgentStatusItem(ReportFields):
    """One report of a batch."""

    status: str = field(
        "What the agent is doing, one of AgentStatus; anything else refuses this item alone."
    )
    performance_metrics: JSON | None = field(
        "What it measured of itself; left out or empty, what it measured before stays.",
        default=UNSET,
    )


@ingest_input
class ReportAgentStatusesInput:
    """What agents do now, stored as far as each report is acceptable."""

    reports: list[AgentStatusItem] = batch("The reports, of one agent or of many.")
    idempotency_key: str | None = batch_key()


@ingest_input
class ReportAgentPerformanceInput(ReportFields):
    """How well one agent works. It becomes its state and two metrics named after it,
    `agent_<key>_response_time` and `agent_<key>_success_rate`."""

    status: AgentStatus = field("What it is doing.")
    response_time: Number = field(
        "How long it takes to respond, in milliseconds, below 10^9.",
        check=db.agents.reports.PERFORMANCE["response_time"],
    )
    success_rate: Number = field(
        "How often it succeeds, in percent, 0 to 100.",
        check=db.agents.reports.PERFORMANCE["success_rate"],
    )
    task_count: int | None = field(
        "Number of tasks it has done.", check=validation.within(0, GRAPHQL_MAX_INT), default=UNSET
    )
    task_type: str | None = field(
        "What kind of task it was measured at.", check=validation.string(200, 0), default=UNSET
    )


@checked(db.agents.AgentReport)
@ingest_input
class ReportAgentErrorInput(ReportFields):
    """What went wrong for one agent."""

    message: str = field("What went wrong, in the agent's words.", column="error")
    current_task: JSON | None = field(
        "The task that failed; left out, the one that the agent works on. Null: it has none.",
        default=UNSET,
    )
    status: AgentStatus = field("What it is doing now.", default=AgentStatus.ERROR)


@checked(db.agents.AgentReport)
@input_type
class ForgetAgentInput:
    """An agent that is gone for good."""

    agent_key: str = field("Name of the agent.")
