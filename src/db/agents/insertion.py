"""Insertion: a batch of reports with their events, metrics and agent states, in one statement."""

from itertools import chain

from sqlalchemy import (
    ARRAY,
    CTE,
    Boolean,
    ColumnElement,
    ScalarSelect,
    and_,
    case,
    column,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB, Insert, aggregate_order_by, distinct_on, insert
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.elements import KeyedColumnElement

from db.agents import Agent, AgentReport
from db.agents.offline import REPORT, SOURCE
from db.core.ingest.statements import core_table, insert_from, json_to_rows, recordset
from db.core.table import AnySelect, Expression, Row
from db.events import Event
from db.metrics import Metric

Columns = ReadOnlyColumnCollection[str, KeyedColumnElement[object]]

ERRORS_KEPT = 20
EMPTY: Expression = literal_column("'{}'::jsonb")
NO_ERRORS: Expression = literal_column("'[]'::jsonb")


def insert_reports() -> Insert:
    """Insert a batch of reports, and for the new ones their events, metrics and agent states.

    One statement, so all of it is stored or nothing. Every report stays in the history and updates
    when the agent was last active; the status is that of the newest report, by `newer`.
    """
    items = _items()
    stored_columns = REPORT.id, REPORT.seq, REPORT.received_at
    report = insert_from(AgentReport, report_columns(items), items, items.c.position)
    stored = report.returning(*stored_columns).cte("stored")
    made_at = func.least(items.c.reported_at, stored.c.received_at).label("made_at")
    fresh = (
        select(*items.c, stored.c.seq, stored.c.received_at, made_at)
        .join(stored, stored.c.id == items.c.id)
        .ext(distinct_on(items.c.id))  # a batch may hold a report twice
        .cte("fresh")
    )
    events = insert_from(Event, event_columns(fresh), fresh).cte("events")
    measure = json_to_rows(func.jsonb_to_recordset(fresh.c.measured), "measure", *Metric.columns())
    measures = insert_from(Metric, dict(measure.c.items()), fresh.join(measure, true()))
    return _states(fresh).add_cte(events, measures.cte("measures"))


def _items() -> CTE:
    own = (
        *(AgentReport.id, AgentReport.agent_key, AgentReport.status, AgentReport.current_task),
        *(AgentReport.performance_metrics, AgentReport.error, AgentReport.reported_at),
    )
    beside = column("keeps_task", Boolean), column("entry", JSONB), column("measured", JSONB)
    sent = recordset(*own, *beside)
    numbered = select(*sent.c, func.row_number().over().label("position")).cte("numbered")
    kept = _kept_tasks(numbered).subquery("kept")
    task = case((numbered.c.keeps_task, kept.c.task), else_=numbered.c.current_task)
    others = (c for c in numbered.c if c.name != "current_task")
    items = select(*others, task.label("current_task"))
    return items.outerjoin_from(numbered, kept, kept.c.position == numbered.c.position).cte("items")


def _kept_tasks(numbered: CTE) -> AnySelect:
    """The tasks of the reports of agents with a report that keeps its task, by position.

    A report with a task of its own begins a run, and later ones that keep the task continue it, in
    the order of time. Run 0 continues the task of the agent's state.
    """
    c = numbered.c
    made_at = func.least(c.reported_at, func.now()).label("made_at")
    begins = func.count().filter(c.keeps_task.is_not(true()))
    run = begins.over(partition_by=c.agent_key, order_by=(made_at, c.position)).label("run")
    of_keeping = c.agent_key.in_(select(c.agent_key).where(c.keeps_task))
    reports = select(c.agent_key, c.current_task, made_at, c.position, run)
    report = reports.where(of_keeping).subquery("report").c
    first = func.first_value(report.current_task).over(
        partition_by=(report.agent_key, report.run), order_by=(report.made_at, report.position)
    )
    state = select(Agent.current_task).where(Agent.agent_key == report.agent_key).scalar_subquery()
    return select(report.position, case((report.run == 0, state), else_=first).label("task"))


def report_columns(items: CTE) -> Row:
    state = select(Agent.status).where(Agent.agent_key == items.c.agent_key).scalar_subquery()
    former = func.lag(items.c.status).over(
        partition_by=items.c.agent_key, order_by=items.c.position
    )
    given = {name: value for name, value in items.c.items() if name in core_table(AgentReport).c}
    return {**given, "previous_status": func.coalesce(former, state)}


def event_columns(fresh: CTE) -> Row:
    facts = _facts(
        agent_key=fresh.c.agent_key,
        status=fresh.c.status,
        task=fresh.c.current_task,
        error=fresh.c.error,
    )
    return {
        "id": fresh.c.id,
        "event_type": literal("agent_status_update"),
        "source": literal(SOURCE),
        "payload": facts,
        "timestamp": fresh.c.reported_at,
    }


def _states(fresh: CTE) -> Insert:
    """Upsert the agent states, sorted by key so that two batches cannot deadlock."""
    by_time = (fresh.c.made_at.desc(), fresh.c.seq.desc())
    empty = fresh.c.performance_metrics == EMPTY  # the stored metrics are kept
    newest = (
        select(
            fresh.c.agent_key,
            _last(fresh.c.status, *by_time).label("status"),
            _last(fresh.c.current_task, *by_time).label("current_task"),
            _last(fresh.c.performance_metrics, empty, *by_time).label("metrics"),
            _last(fresh.c.id, *by_time).label("id"),
            _last(fresh.c.seq, *by_time).label("seq"),
            func.max(fresh.c.made_at).label("made_at"),
            func.max(fresh.c.received_at).label("received_at"),
            func.jsonb_agg(fresh.c.entry).filter(fresh.c.entry.is_not(None)).label("entries"),
        )
        .group_by(fresh.c.agent_key)
        .order_by(fresh.c.agent_key)
        .subquery("newest")
    )
    values = {
        "id": newest.c.id,
        "agent_key": newest.c.agent_key,
        "status": newest.c.status,
        "current_task": newest.c.current_task,
        "performance_metrics": newest.c.metrics,
        "error_log": func.coalesce(_newest_errors(newest.c.entries), NO_ERRORS),
        "last_active": newest.c.received_at,
        "received_at": newest.c.received_at,
        "reported_at": newest.c.made_at,
        "last_seq": newest.c.seq,
    }
    chosen = select(*values.values()).select_from(newest).order_by(newest.c.agent_key)
    return _latest(insert(core_table(Agent)).from_select(list(values), chosen, False))


def _latest(statement: Insert) -> Insert:
    """On conflict, every report appends its errors, too."""
    new, old = statement.excluded, core_table(Agent).c
    errors = _newest_errors(old.error_log.op("||")(new.error_log))
    error_log = case((new.error_log != NO_ERRORS, errors), else_=old.error_log)
    return statement.on_conflict_do_update(
        index_elements=["agent_key"], set_={**latest_values(statement), "error_log": error_log}
    )


def latest_values(statement: Insert) -> Row:
    """The state after a conflict: a newer report replaces the status, and every report updates when
    the agent was last active."""
    new, old = statement.excluded, core_table(Agent).c
    is_newer = newer(new, old)
    replaced = ("status", "current_task", "reported_at", "last_seq")
    measured = and_(is_newer, new.performance_metrics != EMPTY)
    return {
        **{name: case((is_newer, new[name]), else_=old[name]) for name in replaced},
        "last_active": new.last_active,
        "received_at": new.received_at,
        "performance_metrics": case(
            (measured, new.performance_metrics), else_=old.performance_metrics
        ),
        "updated_at": func.now(),
    }


def newer(new: Columns, old: Columns) -> ColumnElement[bool]:
    """True if the report in `new` is newer than the state in `old`: by the time it was made, but no
    later than it was received, and then by `seq`. Each report is newer than the state of an agent
    marked OFFLINE by the gateway."""
    made_later = tuple_(new.reported_at, new.last_seq) > tuple_(old.reported_at, old.last_seq)
    return and_(new.last_seq != old.last_seq, or_(old.reported_at.is_(None), made_later))


def _last(value: Expression, *order: Expression) -> Expression:
    return func.array_agg(aggregate_order_by(value, *order), type_=ARRAY(value.type))[1]


def _newest_errors(log: Expression) -> ScalarSelect[object]:
    entry = func.jsonb_array_elements(log).column_valued("entry")
    at = entry.op("->>")("at")
    kept = select(entry.label("entry")).order_by(at.desc()).limit(ERRORS_KEPT).subquery("kept")
    by_time = aggregate_order_by(kept.c.entry, kept.c.entry.op("->>")("at"))
    return select(func.jsonb_agg(by_time)).scalar_subquery()


def _facts(**facts: Expression) -> Expression:
    pairs = chain.from_iterable((literal(name), value) for name, value in facts.items())
    return func.jsonb_build_object(*pairs)
