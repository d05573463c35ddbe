"""Reports: what agents say of themselves, stored with all that follows from it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CTE,
    Boolean,
    ColumnElement,
    Executable,
    ScalarSelect,
    Select,
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

from db import audit, config
from db.agents import Agent, AgentReport, offline
from db.agents.offline import SOURCE
from db.core.errors import NotFound
from db.core.ingest.rows import (
    IngestRow,
    Row,
    core_table,
    insert_from,
    json_to_rows,
    recordset,
    row_validator,
)
from db.core.ingest.writer import IngestTarget
from db.core.schema import partition
from db.core.session.database import Database, WriteSession
from db.core.values import validation
from db.core.values.rfc3339 import print_time
from db.events import Event
from db.metrics import MAX_VALUE, RECORDED, Metric

ERRORS_KEPT = 20
NO_AGENT = "There is no agent with this key."
PERFORMANCE = {"response_time": validation.within(0, MAX_VALUE), "success_rate": validation.PERCENT}
RULES = row_validator(AgentReport)
NOTHING: ColumnElement[Any] = literal_column("'{}'::jsonb")
NO_ERRORS: ColumnElement[Any] = literal_column("'[]'::jsonb")


def report(
    row: Row,
    at: datetime,
    key: str | None,
    measured: Sequence[Row] = (),
    keeps_task: bool = False,
) -> IngestRow:
    """The item of a report: agent_key, status, current_task, performance_metrics and error, with
    the metrics that it brings along. If it keeps the task, its own is ignored, and that of the
    report before is stored with it. Raises Invalid."""
    error = row["error"]
    entry = {"at": print_time(at), "error": error} if error is not None else None
    row = {"performance_metrics": {}, **row, "reported_at": at, "entry": entry}
    kept = {"keeps_task": True} if keeps_task else {}
    return RULES.item({**row, **kept, "measured": measured}, at, key)


def performance(
    at: datetime, response_time: Decimal, success_rate: Decimal, tags: Row
) -> list[Row]:
    """The metrics of how well an agent works: milliseconds and percent. Raises Invalid."""
    prefix = f"agent_{tags['agent_key']}"
    measured = {"response_time": response_time, "success_rate": success_rate}
    validation.raise_if_invalid(validation.field_errors(PERFORMANCE, measured))
    rows: list[Row] = [
        {"metric_name": f"{prefix}_response_time", "value": response_time, "unit": "ms"},
        {"metric_name": f"{prefix}_success_rate", "value": success_rate, "unit": "percentage"},
    ]
    return [RECORDED.rules.row({**row, "tags": tags, "timestamp": at}, at) for row in rows]


async def mark_offline(database: Database) -> int:
    """Notes that agents are OFFLINE which are silent for longer than the setting
    `agents.offline_after_seconds` says; returns how many. May be done by many processes at once:
    it is noted once. Raises what sessions raise."""
    async with database.read() as session:
        after = timedelta(seconds=float(await config.number(session, config.OFFLINE_AFTER)))
        now, silent = session.now(), await offline.silent(session, after)
    if not silent:
        return 0
    gone = [offline.offline_transition(agent, now) for agent in silent]
    async with database.write() as session:
        await partition.ensure(session, AgentReport, [each.at for each in gone])
    async with database.write() as session:
        signed = await session.rows(offline.mark_offline_statement(gone, now, after))
        session.feeds |= set(REPORTED.feeds)
    return len(signed)


async def forget(session: WriteSession, agent_key: str) -> UUID:
    """Removes the present state of an agent, its history stays and ends OFFLINE; returns the id of
    the event that tells of it. Raises NotFound."""
    now, state = session.now(), Agent.select().where(Agent.agent_key == agent_key)
    if (agent := await session.record(Agent, state)) is None:
        raise NotFound(NO_AGENT)
    gone = offline.offline_transition(agent, now)
    whole = WriteSession(session.connection)  # agents have no row rules
    await partition.ensure(whole, AgentReport, [gone.at])
    await whole.execute(offline.insert_final_report(gone))
    if (agent := await session.record(Agent, state.with_for_update())) is None:
        raise NotFound(NO_AGENT)
    await audit.remove(session, Agent, agent)
    event = {
        "id": gone.event_id,
        "event_type": "agent_forgotten",
        "source": SOURCE,
        "payload": {"agent_key": agent.agent_key, "status": agent.status},
        "timestamp": now,
    }
    await session.execute(insert(Event).values(event))
    session.feeds |= {"agents", "events"}
    return gone.event_id


def _reporting() -> Executable:
    """Stores a batch of reports and what follows from those that are new: events, metrics, states.

    One statement, so that all of it is there or nothing. Every report stays in the history and says
    that the agent lives; its status is that of the newest one, by `newer`.
    """
    items = _items()
    report, line = insert_from(AgentReport, _history(items), items, items.c.position), offline.LINE
    stored = report.returning(line.id, line.seq, line.received_at).cte("stored")
    made_at = func.least(items.c.reported_at, stored.c.received_at).label("made_at")
    fresh = (
        select(*items.c, stored.c.seq, stored.c.received_at, made_at)
        .join(stored, stored.c.id == items.c.id)
        .ext(distinct_on(items.c.id))  # one item may be in a batch twice
        .cte("fresh")
    )
    events = insert_from(Event, _event(fresh), fresh).cte("events")
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


def _kept_tasks(numbered: CTE) -> Select[Any]:
    """The tasks of the reports of agents with a report that keeps its task, by position.

    A report that says its task begins a run, and those after it that keep the task continue the
    run, in the order of time. Run 0 continues the task of the agent's state.
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


def _history(items: CTE) -> dict[str, Any]:
    """The columns of a report; the status before it is in the batch, or else in the state."""
    state = select(Agent.status).where(Agent.agent_key == items.c.agent_key).scalar_subquery()
    former = func.lag(items.c.status).over(
        partition_by=items.c.agent_key, order_by=items.c.position
    )
    given = {name: value for name, value in items.c.items() if name in core_table(AgentReport).c}
    return {**given, "previous_status": func.coalesce(former, state)}


def _event(fresh: CTE) -> dict[str, Any]:
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
    """Sorted by key, so that two batches cannot wait for each other."""
    by_time = (fresh.c.made_at.desc(), fresh.c.seq.desc())
    empty = fresh.c.performance_metrics == NOTHING  # leaves what was measured before as it is
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
    """Where an agent is known: a newer report replaces its status, any report adds its errors and
    says that the agent lives."""
    new, old = statement.excluded, core_table(Agent).c
    is_newer, erred = newer(new, old), new.error_log != NO_ERRORS
    replaced = ("status", "current_task", "reported_at", "last_seq")
    measured = and_(is_newer, new.performance_metrics != NOTHING)
    errors = _newest_errors(old.error_log.op("||")(new.error_log))
    return statement.on_conflict_do_update(
        index_elements=["agent_key"],
        set_={
            **{name: case((is_newer, new[name]), else_=old[name]) for name in replaced},
            "last_active": new.last_active,
            "received_at": new.received_at,
            "performance_metrics": case(
                (measured, new.performance_metrics), else_=old.performance_metrics
            ),
            "error_log": case((erred, errors), else_=old.error_log),
            "updated_at": func.now(),
        },
    )


def newer(new: Any, old: Any) -> ColumnElement[bool]:
    """Whether a report, as the state it would leave, is newer than that of the present state: by
    when it was made, but no later than it came in, and then by the order of storing. Any report
    ends the state of an agent that was signed off."""
    made_later = tuple_(new.reported_at, new.last_seq) > tuple_(old.reported_at, old.last_seq)
    return and_(new.last_seq != old.last_seq, or_(old.reported_at.is_(None), made_later))


def _last(value: ColumnElement[Any], *order: Any) -> ColumnElement[Any]:
    """The first value in that order, which is one of the newest first."""
    return func.array_agg(aggregate_order_by(value, *order), type_=ARRAY(value.type))[1]


def _newest_errors(log: ColumnElement[Any]) -> ScalarSelect[Any]:
    """The newest entries of an error log, oldest first."""
    entry = func.jsonb_array_elements(log).column_valued("entry")
    at = entry.op("->>")("at")
    kept = select(entry.label("entry")).order_by(at.desc()).limit(ERRORS_KEPT).subquery("kept")
    by_time = aggregate_order_by(kept.c.entry, kept.c.entry.op("->>")("at"))
    return select(func.jsonb_agg(by_time)).scalar_subquery()


def _facts(**facts: Any) -> ColumnElement[Any]:
    """A JSON object."""
    pairs = chain.from_iterable((literal(name), value) for name, value in facts.items())
    return func.jsonb_build_object(*pairs)


REPORTED = IngestTarget(
    "agents", (AgentReport, Event, Metric), RULES, _reporting(), feeds=("agents", "events")
)
