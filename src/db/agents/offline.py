"""Offline: mark agents OFFLINE that are silent for too long or are forgotten.

Silence is measured from when reports were received, by the clock of the database. An agent known
only from imported reports never becomes silent.

The transition is a row of the history like a report, so that subscribers see it. That row is
written before the agent's state, in the same order of locks as reports.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Executable, FromClause, func, literal, select, update
from sqlalchemy.dialects.postgresql import Insert

from db.agents import Agent, AgentReport, AgentStatus
from db.core.ids import uuid7
from db.core.ingest.statements import core_table, insert_from
from db.core.query.batch import requested_keys
from db.core.session.database import ReadSession
from db.core.table import AnySelect, Row
from db.events import Event

SOURCE = "agent-manager"
STATE, REPORT = core_table(Agent).c, core_table(AgentReport).c


@dataclass(frozen=True, slots=True)
class OfflineTransition:
    """The final report of an agent, dated by its own clock, and the event about it."""

    agent_key: str
    report_id: UUID
    at: datetime
    event_id: UUID


def offline_transition(agent: Agent, now: datetime) -> OfflineTransition:
    """The transition at the present time of the agent's clock, if that is slow, so that reports it
    may still send come later; never in the future."""
    at = now
    if agent.reported_at is not None and agent.received_at is not None:
        at = min(now, agent.reported_at + (now - agent.received_at))
    return OfflineTransition(agent.agent_key, uuid7(at), at, uuid7(now))


async def silent(session: ReadSession, after: timedelta) -> list[Agent]:
    return await session.records(Agent, Agent.select().where(*_is_silent(after)))


def insert_final_report(gone: OfflineTransition) -> Insert:
    return _final_reports(_going([gone]).with_for_update(of=core_table(Agent)).subquery("going"))


def mark_offline_statement(
    gone: Sequence[OfflineTransition], now: datetime, after: timedelta
) -> Executable:
    """Insert final reports and events, and set the states to OFFLINE; return the keys of agents.

    The statement checks each state again once it is locked, and skips agents that have reported
    since or are OFFLINE already.
    """
    held = _going(gone).where(*_is_silent(after)).order_by(STATE.agent_key)
    going = held.with_for_update(of=core_table(Agent), skip_locked=True).cte("going")
    reports = (
        _final_reports(going).returning(REPORT.seq, REPORT.agent_key, REPORT.status).cte("reports")
    )
    states = (
        update(core_table(Agent))
        .where(STATE.agent_key == reports.c.agent_key)
        .values(
            status=reports.c.status, last_seq=reports.c.seq, reported_at=None, updated_at=func.now()
        )
    )
    joined = reports.join(going, going.c.agent_key == reports.c.agent_key)
    events = insert_from(Event, _event(going, reports, now), joined).cte("events")
    return states.returning(STATE.agent_key).add_cte(events)


def _is_silent(after: timedelta) -> tuple[ColumnElement[bool], ...]:
    has_reported = Agent.received_at.is_not(None)
    return (
        has_reported,
        Agent.last_active < func.now() - after,
        Agent.status != AgentStatus.OFFLINE,
    )


def _going(gone: Sequence[OfflineTransition]) -> AnySelect:
    columns = Agent.agent_key, AgentReport.id, AgentReport.reported_at, Event.id
    asked = requested_keys(columns, [astuple(each) for each in gone])
    names = enumerate(("id", "at", "event_id"), start=1)
    written = [asked.c[f"k{number}"].label(name) for number, name in names]
    states = asked.join(core_table(Agent), STATE.agent_key == asked.c.k0)
    return select(*written, STATE.agent_key, STATE.status).select_from(states)


def _final_reports(going: FromClause) -> Insert:
    values = {
        "id": going.c.id,
        "agent_key": going.c.agent_key,
        "status": literal(AgentStatus.OFFLINE.value),
        "previous_status": going.c.status,
        "reported_at": going.c.at,
    }
    return insert_from(AgentReport, values, going, going.c.agent_key)


def _event(going: FromClause, reports: FromClause, now: datetime) -> Row:
    facts = (
        "agent_key",
        reports.c.agent_key,
        "status",
        reports.c.status,
        "task",
        None,
        "error",
        None,
    )
    return {
        "id": going.c.event_id,
        "event_type": literal("agent_status_update"),
        "source": literal(SOURCE),
        "payload": func.jsonb_build_object(*facts),
        "timestamp": literal(now),
    }
