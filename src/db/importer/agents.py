"""Agents: their reports, in whatever order they come, and the state the newest one leaves.

The truth is the history: `previous_status` is the status of the report before, in the order of
ids, whenever a report was imported; and the present state is that of the newest report. So a report
that comes late corrects the one after it, and changes the state only by its error.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Text, Uuid, cast, func, select, true, union, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from db.agents import Agent, AgentReport
from db.core.database import WriteSession
from db.core.ids import uuid7
from db.core.rfc3339 import print_time
from db.importer.kinds import Row
from db.importer.recordset import insertion, plain, recordset, upsertion
from db.importer.report import Counts

ERRORS_KEPT = 20

REPORT = (
    *("id", "agent_key", "status", "current_task", "performance_metrics", "error"),
    "reported_at",
)


async def store_reports(session: WriteSession, rows: Sequence[Row]) -> Counts:
    """Stores the reports that are new, and what follows from them."""
    statement = insertion(AgentReport, REPORT, rows).returning(plain(AgentReport).c.id)
    new = {id for (id,) in await session.rows(statement)}
    if new:
        await _link(session, new)
        distinct = {row["id"]: row for row in rows}
        await _update_states(session, [distinct[id] for id in sorted(new)])
    return Counts(inserted=len(new), unchanged=len(rows) - len(new))


async def _link(session: WriteSession, new: Collection[UUID]) -> None:
    """Sets `previous_status` of new reports, and of those that now follow a new one."""
    former = aliased(AgentReport)
    before = (
        select(former.status)
        .where(former.agent_key == AgentReport.agent_key, former.id < AgentReport.id)
        .order_by(former.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    affected = AgentReport.id.in_(_new_and_followers(new))
    wrong = AgentReport.previous_status.is_distinct_from(before)
    await session.execute(
        update(plain(AgentReport)).where(affected, wrong).values(previous_status=before)
    )


def _new_and_followers(new: Collection[UUID]) -> CompoundSelect[Any]:
    report, later = aliased(AgentReport), aliased(AgentReport)
    follower = (
        select(later.id)
        .where(later.agent_key == report.agent_key, later.id > report.id)
        .order_by(later.id)
        .limit(1)
        .lateral()
    )
    among = report.id == func.any(cast(list(new), ARRAY(Uuid)))
    return union(
        select(report.id).where(among),
        select(follower.c.id).select_from(report).join(follower, true()).where(among),
    )


async def _update_states(session: WriteSession, rows: Sequence[Row]) -> None:
    """Brings the states of the agents that sent these new reports up to date."""
    errors = await _error_logs(session, rows)
    now = datetime.now(UTC)
    agents = [{"id": uuid7(now), "agent_key": key, "error_log": log} for key, log in errors.items()]
    source = recordset(Agent, ("id", "agent_key", "error_log"), agents)
    newest = (
        AgentReport.select()
        .where(AgentReport.agent_key == source.c.agent_key)
        .order_by(AgentReport.id.desc())
        .limit(1)
        .lateral()
    )
    state = {
        **dict(source.c.items()),
        "status": newest.c.status,
        "last_active": newest.c.reported_at,
        "current_task": newest.c.current_task,
        "performance_metrics": newest.c.performance_metrics,
        "last_seq": newest.c.seq,
    }
    chosen = select(*state.values()).select_from(source).join(newest, true())
    await session.rows(upsertion(Agent, list(state), chosen, key=("agent_key",)))


async def _error_logs(session: WriteSession, rows: Sequence[Row]) -> dict[str, list[Any]]:
    """By agent, the newest errors: those of its state and those of new reports, oldest first."""
    keys = sorted({row["agent_key"] for row in rows})
    wanted = Agent.agent_key == func.any(cast(keys, ARRAY(Text)))
    statement = select(Agent.agent_key, Agent.error_log).where(wanted)
    logs: dict[str, list[Any]] = {key: [] for key in keys}
    logs |= {row[0]: row[1] for row in await session.rows(statement)}
    for row in rows:
        if row["error"] is not None:
            error = {"at": print_time(row["reported_at"]), "error": row["error"]}
            logs[row["agent_key"]] = [*logs[row["agent_key"]], error]
    return {key: sorted(log, key=itemgetter("at"))[-ERRORS_KEPT:] for key, log in logs.items()}
