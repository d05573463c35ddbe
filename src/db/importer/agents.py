"""Agents: import reports in any order, and update the states of their agents.

`previous_status` is the status of the report before, in the order of ids, and the state is that of
the newest report. So an older report corrects the one after it, and adds only its error to the
state. An imported report has no `received_at`, so an agent with a state from one is never silent.
"""

from collections.abc import Collection, Sequence
from operator import itemgetter
from uuid import UUID

from sqlalchemy import (
    CompoundSelect,
    Text,
    Uuid,
    and_,
    case,
    cast,
    func,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import aliased

from db.agents import MADE_AT, Agent, AgentReport, LoggedError, of_same_agent
from db.agents.insertion import ERRORS_KEPT, newer
from db.core import ids
from db.core.ingest.statements import Counts, core_table, insert_rows, literal_rows
from db.core.session.database import WriteSession
from db.core.table import Row
from db.core.values.rfc3339 import print_time
from db.importer.places import place

REPORT = (
    *("id", "agent_key", "status", "current_task", "performance_metrics", "error"),
    *("reported_at", "received_at"),
)


async def store_reports(session: WriteSession, rows: Sequence[Row]) -> Counts:
    new = await place(session, AgentReport, "reported_at", rows)
    if new:
        imported = [{**row, "received_at": None} for row in new]
        await session.execute(insert_rows(AgentReport, REPORT, imported))
        await _link_to_neighbors(session, [row["id"] for row in new])
        await _update_states(session, new)
    return Counts(inserted=len(new), unchanged=len(rows) - len(new))


async def _link_to_neighbors(session: WriteSession, new: Collection[UUID]) -> None:
    former = aliased(AgentReport)
    before = (
        select(former.status)
        .where(*of_same_agent(former.agent_key, AgentReport.agent_key), former.id < AgentReport.id)
        .order_by(former.agent_key.desc(), former.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    affected = AgentReport.id.in_(_new_and_followers(new))
    wrong = AgentReport.previous_status.is_distinct_from(before)
    await session.execute(
        update(core_table(AgentReport)).where(affected, wrong).values(previous_status=before)
    )


def _new_and_followers(new: Collection[UUID]) -> CompoundSelect[UUID]:
    report, later = aliased(AgentReport), aliased(AgentReport)
    follower = (
        select(later.id)
        .where(*of_same_agent(later.agent_key, report.agent_key), later.id > report.id)
        .order_by(later.agent_key, later.id)
        .limit(1)
        .lateral()
    )
    among = report.id == func.any(cast(list(new), ARRAY(Uuid)))
    return union(
        select(report.id).where(among),
        select(follower.c.id).select_from(report).join(follower, true()).where(among),
    )


async def _update_states(session: WriteSession, rows: Sequence[Row]) -> None:
    errors, now = await _error_logs(session, rows), session.now()
    agents = [
        {"id": ids.uuid7(now), "agent_key": key, "error_log": log} for key, log in errors.items()
    ]
    source = literal_rows(Agent, ("id", "agent_key", "error_log"), agents)
    newest = (
        select(*AgentReport.columns(), MADE_AT.label("made_at"))
        .where(*of_same_agent(AgentReport.agent_key, source.c.agent_key))
        .order_by(AgentReport.agent_key.desc(), AgentReport.id.desc())
        .limit(1)
        .lateral()
    )
    state = {
        **dict(source.c.items()),
        "status": newest.c.status,
        "current_task": newest.c.current_task,
        "performance_metrics": newest.c.performance_metrics,
        "last_seq": newest.c.seq,
        "reported_at": newest.c.made_at,
        "received_at": newest.c.received_at,
        "last_active": func.coalesce(newest.c.received_at, newest.c.reported_at),
    }
    chosen = select(*state.values()).select_from(source).join(newest, true())
    await session.execute(
        _on_conflict(insert(core_table(Agent)).from_select(list(state), chosen, False))
    )


def _on_conflict(statement: Insert) -> Insert:
    """On conflict, a newer imported report replaces the state; every report adds its errors."""
    new, old = statement.excluded, core_table(Agent).c
    replaces = and_(new.received_at.is_(None), newer(new, old))
    names = (
        *("status", "current_task", "performance_metrics", "last_seq"),
        *("reported_at", "received_at", "last_active"),
    )
    return statement.on_conflict_do_update(
        index_elements=["agent_key"],
        set_={
            **{name: case((replaces, new[name]), else_=old[name]) for name in names},
            "error_log": new.error_log,
            "updated_at": func.now(),
        },
        where=or_(replaces, new.error_log != old.error_log),
    )


async def _error_logs(session: WriteSession, rows: Sequence[Row]) -> dict[str, list[LoggedError]]:
    keys = sorted({row["agent_key"] for row in rows})
    wanted = Agent.agent_key == func.any(cast(keys, ARRAY(Text)))
    statement = select(Agent.agent_key, Agent.error_log).where(wanted)
    logs: dict[str, list[LoggedError]] = {key: [] for key in keys}
    logs |= {row[0]: row[1] for row in await session.rows(statement)}
    for row in rows:
        if row["error"] is not None:
            error = LoggedError(at=print_time(row["reported_at"]), error=row["error"])
            logs[row["agent_key"]] = [*logs[row["agent_key"]], error]
    return {key: sorted(log, key=itemgetter("at"))[-ERRORS_KEPT:] for key, log in logs.items()}
