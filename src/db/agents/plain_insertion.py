"""Plain insertion: the statement for reports without errors, metrics and idempotency keys.

Such reports are the most frequent, and PostgreSQL needs three quarters of the time for a few of
them: no id occurs twice, no task is taken over from another report, and no log is appended to.
"""

from sqlalchemy import CTE, ColumnElement, func, select
from sqlalchemy.dialects.postgresql import Insert, distinct_on, insert

from db.agents import Agent, AgentReport
from db.agents.insertion import EMPTY, event_columns, latest_values, report_columns
from db.agents.offline import REPORT
from db.core.ingest.statements import core_table, recordset
from db.core.table import Row, Table
from db.events import Event

SENT = (
    *(AgentReport.id, AgentReport.agent_key, AgentReport.status, AgentReport.current_task),
    *(AgentReport.performance_metrics, AgentReport.error, AgentReport.reported_at),
)


def insert_plain_reports() -> Insert:
    """What `insert_reports` stores for such reports, if none of them was sent before."""
    sent = recordset(*SENT)
    items = select(*sent.c, func.row_number().over().label("position")).cte("items")
    report = _insert(AgentReport, report_columns(items), items, items.c.position)
    stored = report.returning(REPORT.id, REPORT.seq, REPORT.received_at).cte("stored")
    made_at = func.least(items.c.reported_at, stored.c.received_at).label("made_at")
    fresh = (
        select(*items.c, stored.c.seq, stored.c.received_at, made_at)
        .join(stored, stored.c.id == items.c.id)
        .cte("fresh")
    )
    events = _insert(Event, event_columns(fresh), fresh).cte("events")
    return _states(fresh).add_cte(events)


def _insert(table: type[Table], values: Row, source: CTE, *order: ColumnElement[object]) -> Insert:
    chosen = select(*values.values()).select_from(source).order_by(*order)
    return insert(core_table(table)).from_select(list(values), chosen, False)


def _states(fresh: CTE) -> Insert:
    """Upsert the agent states, sorted by key so that two batches cannot deadlock."""
    by_time = fresh.c.made_at.desc(), fresh.c.seq.desc()
    empty = fresh.c.performance_metrics == EMPTY  # the stored metrics are kept
    metrics = func.first_value(fresh.c.performance_metrics)
    received_at = func.max(fresh.c.received_at).over(partition_by=fresh.c.agent_key)
    newest = (
        select(
            *(fresh.c.id, fresh.c.agent_key, fresh.c.status, fresh.c.current_task),
            metrics.over(partition_by=fresh.c.agent_key, order_by=(empty, *by_time)).label(
                "performance_metrics"
            ),
            received_at.label("last_active"),
            received_at.label("received_at"),
            fresh.c.made_at.label("reported_at"),
            fresh.c.seq.label("last_seq"),
        )
        .ext(distinct_on(fresh.c.agent_key))
        .order_by(fresh.c.agent_key, *by_time)
        .subquery("newest")
    )
    chosen = select(*newest.c).order_by(newest.c.agent_key)
    states = insert(core_table(Agent)).from_select(newest.c.keys(), chosen, False)
    return states.on_conflict_do_update(index_elements=["agent_key"], set_=latest_values(states))
