"""Counting: agents that are stale or in ERROR, and how long rows wait to enter a feed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, column, func, literal, select, table, true, union_all

from db.agents import MADE_AT, Agent, AgentReport, AgentStatus
from db.alerts import AgentCondition, AlertRule, WatchedFeed
from db.core.ids import floor
from db.core.session.row_rules import without_row_rules
from db.core.table import AnySelect, Expression

FEED_LOCKS = 1717921124  # the first half of the keys of advisory locks: migration 0004
LOCKS: Mapping[WatchedFeed, int] = {  # the second half: migrations 0004 and 0022
    WatchedFeed.AGENTS: 1,
    WatchedFeed.EVENTS: 2,
    WatchedFeed.CHANGES: 3,
    WatchedFeed.METRICS: 4,
}


def agents_now(rule: AlertRule, stale_before: datetime) -> AnySelect:
    is_counted: Mapping[str | None, ColumnElement[bool]] = {
        AgentCondition.STALE: Agent.last_active < stale_before,
        AgentCondition.ERROR: Agent.status == AgentStatus.ERROR,
    }
    return select(func.count()).select_from(Agent).where(is_counted[rule.agents])


def reports_between(
    rule: AlertRule, since: datetime, until: datetime, stale_after: timedelta
) -> AnySelect:
    """The times from which an agent counted, and until which, null if it still does. An agent that
    went OFFLINE did not report that itself, so it stays stale."""
    own = () if rule.agents == AgentCondition.ERROR else (_IS_OWN,)
    facts = AgentReport.id, AgentReport.agent_key, AgentReport.status, *_times(rule, stale_after)
    known = select(*facts).where(AgentReport.id < floor(until), *own)
    within = known.where(AgentReport.id >= floor(since)).join(
        Agent, Agent.agent_key == AgentReport.agent_key
    )
    earlier = known.where(
        AgentReport.agent_key == Agent.agent_key, AgentReport.id < floor(since)
    ).order_by(AgentReport.id.desc())
    last = earlier.limit(1).correlate(Agent).lateral("last")
    before = select(*last.c).select_from(Agent).join(last, true())
    reports = union_all(before, within).subquery("reports").c
    following = func.lead(reports.made).over(partition_by=reports.agent_key, order_by=reports.id)
    spans = select(reports.status, reports.begin, following.label("end")).subquery("spans").c
    is_counted: Mapping[str | None, ColumnElement[bool]] = {
        AgentCondition.STALE: func.coalesce(spans.begin < spans.end, true()),
        AgentCondition.ERROR: spans.status == AgentStatus.ERROR,
    }
    return select(spans.begin, spans.end).where(is_counted[rule.agents])


def _times(rule: AlertRule, stale_after: timedelta) -> tuple[Expression, Expression]:
    """When a report was made, and when its agent counts if there is no other one."""
    made = AgentReport.reported_at
    stale = func.greatest(made, MADE_AT + literal(stale_after))
    begin = made if rule.agents == AgentCondition.ERROR else stale
    return made.label("made"), begin.label("begin")


_IS_OWN = AgentReport.status != AgentStatus.OFFLINE


def longest_wait(feed: WatchedFeed) -> AnySelect:
    """Seconds for which the first of the transactions that wait has waited for the lock of a feed;
    0 if none waits. Until then subscribers see no later row."""
    names = "locktype", "database", "classid", "objid", "granted", "waitstart"
    locks = table("pg_locks", *map(column, names)).c
    databases = table("pg_database", column("oid"), column("datname")).c
    waited = func.date_part("epoch", func.clock_timestamp() - func.min(locks.waitstart))
    waiting = (
        select(func.greatest(func.coalesce(waited, 0), 0))
        .where(locks.locktype == "advisory", locks.granted.is_(False))
        .where(locks.classid == FEED_LOCKS, locks.objid == LOCKS[feed])
        .where(locks.database == databases.oid, databases.datname == func.current_database())
    )
    return without_row_rules(waiting)
