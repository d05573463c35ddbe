"""Offline: agents that go, because they are silent for too long or are forgotten.

That they went is a line of their history like any report, so that who follows them is told. The
line comes before the state is touched, for the sake of the lock of the history: who reports takes
it first as well, so nobody who holds a state ever waits for somebody who wants it.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Executable, Select, func, literal, select, update
from sqlalchemy.dialects.postgresql import Insert

from db.agents import Agent, AgentReport, AgentStatus
from db.core.batch import wanted
from db.core.database import ReadSession
from db.core.item import insertion, plain
from db.events import Event

SOURCE = "agent-manager"
STATE, LINE = plain(Agent).c, plain(AgentReport).c


async def silent(session: ReadSession, since: datetime) -> list[str]:
    """The keys of agents that were not active since then, and are not OFFLINE yet."""
    rows = await session.rows(select(Agent.agent_key).where(*_is_silent(since)))
    return [key for (key,) in rows]


def farewell(agent_key: str, id: UUID, at: datetime) -> Insert:
    """Writes the last line of an agent that is forgotten; nothing where there is no such agent."""
    state = _going([(agent_key, id)]).with_for_update(of=plain(Agent)).subquery("going")
    return _line(state, at)


def signing_off(gone: Sequence[tuple[str, UUID]], at: datetime, after: timedelta) -> Executable:
    """Writes that agents are OFFLINE, given their keys and the ids of what is written: their line,
    an event and their state; returns the keys of those that it was true of.

    One statement, which looks at each state again once it holds it: who reported meanwhile is not
    silent, and whom another process has signed off is OFFLINE already.
    """
    held = _going(gone).where(*_is_silent(at - after)).order_by(STATE.agent_key)
    going = held.with_for_update(of=plain(Agent), skip_locked=True).cte("going")
    told = _line(going, at).returning(LINE.id, LINE.seq, LINE.agent_key, LINE.status).cte("told")
    states = (
        update(plain(Agent))
        .where(STATE.agent_key == told.c.agent_key)
        .values(status=told.c.status, last_seq=told.c.seq, updated_at=func.now())
    )
    happened = insertion(Event, _event(told, at), told).cte("happened")
    return states.returning(STATE.agent_key).add_cte(happened)


def _is_silent(since: datetime) -> tuple[Any, ...]:
    return Agent.last_active < since, Agent.status != AgentStatus.OFFLINE


def _going(gone: Sequence[tuple[str, UUID]]) -> Select[Any]:
    asked = wanted((Agent.agent_key, Agent.id), gone)
    states = asked.join(plain(Agent), STATE.agent_key == asked.c.k0)
    return select(asked.c.k1.label("id"), STATE.agent_key, STATE.status).select_from(states)


def _line(going: Any, at: datetime) -> Insert:
    values = {
        "id": going.c.id,
        "agent_key": going.c.agent_key,
        "status": literal(AgentStatus.OFFLINE.value),
        "previous_status": going.c.status,
        "reported_at": literal(at),
    }
    return insertion(AgentReport, values, going, going.c.agent_key)


def _event(told: Any, at: datetime) -> dict[str, Any]:
    facts = ("agent_key", told.c.agent_key, "status", told.c.status, "task", None, "error", None)
    return {
        "id": told.c.id,
        "event_type": literal("agent_status_update"),
        "source": literal(SOURCE),
        "payload": func.jsonb_build_object(*facts),
        "timestamp": literal(at),
    }
