"""Offline: agents that go, because they are silent for too long or are forgotten.

Silence is judged by the clock of the database and the arrival of reports alone; an agent that is
known from imported reports was never heard, so it cannot fall silent.

That they went is a line of their history like any report, so that subscribers see it. The line is
written before the state is touched, because of the lock of the history: reports take it first as
well, so no holder of a state ever waits for somebody who wants it.
"""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import Insert

from db.agents import Agent, AgentReport, AgentStatus
from db.core.ids import uuid7
from db.core.ingest.rows import core_table, insert_from
from db.core.query.batch import requested_keys
from db.core.session.database import ReadSession
from db.events import Event

SOURCE = "agent-manager"
STATE, LINE = core_table(Agent).c, core_table(AgentReport).c


@dataclass(frozen=True, slots=True)
class OfflineTransition:
    """The last line of an agent, dated by its own clock, and the event about it."""

    agent_key: str
    line_id: UUID
    at: datetime
    event_id: UUID


def offline_transition(agent: Any, now: datetime) -> OfflineTransition:
    """The end of an agent's history. By a clock that is slow, the reports it may still send must
    come after this line; no clock makes it later than now."""
    at = now
    if agent.reported_at is not None and agent.received_at is not None:
        at = min(now, agent.reported_at + (now - agent.received_at))
    return OfflineTransition(agent.agent_key, uuid7(at), at, uuid7(now))


async def silent(session: ReadSession, after: timedelta) -> list[Any]:
    """The agents that were not heard for so long, and are not OFFLINE yet."""
    return await session.records(Agent, Agent.select().where(*_is_silent(after)))


def insert_final_report(gone: OfflineTransition) -> Insert:
    """Writes the last line of an agent that is forgotten; nothing where there is no such agent."""
    return _line(_going([gone]).with_for_update(of=core_table(Agent)).subquery("going"))


def mark_offline_statement(
    gone: Sequence[OfflineTransition], now: datetime, after: timedelta
) -> Executable:
    """Writes that agents are OFFLINE: their line, an event and their state; returns the keys of
    those that it was true of.

    One statement, which looks at each state again once it holds it: an agent that reported
    meanwhile is not silent, and one that another process has signed off is OFFLINE already.
    """
    held = _going(gone).where(*_is_silent(after)).order_by(STATE.agent_key)
    going = held.with_for_update(of=core_table(Agent), skip_locked=True).cte("going")
    told = _line(going).returning(LINE.seq, LINE.agent_key, LINE.status).cte("told")
    states = (
        update(core_table(Agent))
        .where(STATE.agent_key == told.c.agent_key)
        .values(status=told.c.status, last_seq=told.c.seq, reported_at=None, updated_at=func.now())
    )
    named = told.join(going, going.c.agent_key == told.c.agent_key)
    happened = insert_from(Event, _event(going, told, now), named).cte("happened")
    return states.returning(STATE.agent_key).add_cte(happened)


def _is_silent(after: timedelta) -> tuple[Any, ...]:
    heard = Agent.received_at.is_not(None)
    return heard, Agent.last_active < func.now() - after, Agent.status != AgentStatus.OFFLINE


def _going(gone: Sequence[OfflineTransition]) -> Select[Any]:
    columns = Agent.agent_key, AgentReport.id, AgentReport.reported_at, Event.id
    asked = requested_keys(columns, [astuple(each) for each in gone])
    names = enumerate(("id", "at", "event_id"), start=1)
    written = [asked.c[f"k{number}"].label(name) for number, name in names]
    states = asked.join(core_table(Agent), STATE.agent_key == asked.c.k0)
    return select(*written, STATE.agent_key, STATE.status).select_from(states)


def _line(going: Any) -> Insert:
    values = {
        "id": going.c.id,
        "agent_key": going.c.agent_key,
        "status": literal(AgentStatus.OFFLINE.value),
        "previous_status": going.c.status,
        "reported_at": going.c.at,
    }
    return insert_from(AgentReport, values, going, going.c.agent_key)


def _event(going: Any, told: Any, now: datetime) -> dict[str, Any]:
    facts = ("agent_key", told.c.agent_key, "status", told.c.status, "task", None, "error", None)
    return {
        "id": going.c.event_id,
        "event_type": literal("agent_status_update"),
        "source": literal(SOURCE),
        "payload": func.jsonb_build_object(*facts),
        "timestamp": literal(now),
    }
