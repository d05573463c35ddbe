"""Counting: agents that are stale or in ERROR, and how long rows wait to enter a feed."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, column, func, select, table, true

from db.agents import MADE_AT, Agent, AgentReport, AgentStatus
from db.alerts import AgentCondition, AlertRule, WatchedFeed
from db.core.ids import floor
from db.core.session.row_rules import without_row_rules
from db.core.table import AnySelect

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


def agents_at(rule: AlertRule, at: datetime, stale_before: datetime) -> AnySelect:
    """From the last report of each agent at that time. That an agent went OFFLINE is not a report
    of it, so it stays stale."""
    own = () if rule.agents == AgentCondition.ERROR else (_IS_OWN,)
    reports = select(AgentReport.status, MADE_AT.label("made_at"))
    of_agent = AgentReport.agent_key == Agent.agent_key, AgentReport.id < floor(at)
    newest = reports.where(*of_agent, *own).order_by(AgentReport.id.desc()).limit(1)
    last = newest.correlate(Agent).lateral("last")
    is_counted: Mapping[str | None, ColumnElement[bool]] = {
        AgentCondition.STALE: last.c.made_at < stale_before,
        AgentCondition.ERROR: last.c.status == AgentStatus.ERROR,
    }
    return select(func.count()).select_from(Agent).join(last, true()).where(is_counted[rule.agents])


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
