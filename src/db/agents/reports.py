"""Reports: status reports of agents, stored with the events, metrics and states they result in."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from db import audit
from db.agents import Agent, AgentReport, offline
from db.agents.insertion import insert_reports
from db.agents.offline import SOURCE
from db.agents.plain_insertion import insert_plain_reports
from db.config import numbers
from db.core.errors import NotFound
from db.core.ingest.rows import IngestRow, RowTemplate, row_validator
from db.core.ingest.writer import IngestTarget
from db.core.schema import partition
from db.core.session.database import Database, WriteSession
from db.core.table import Row
from db.core.values import validation
from db.core.values.rfc3339 import print_time
from db.events import Event
from db.metrics import MAX_VALUE, RECORDED, Metric

NO_AGENT = "There is no agent with this key."
PERFORMANCE = {"response_time": validation.within(0, MAX_VALUE), "success_rate": validation.PERCENT}
VALIDATOR = row_validator(AgentReport)


def report(
    row: Row,
    at: datetime,
    key: str | None,
    measured: Sequence[Row] = (),
    keeps_task: bool = False,
) -> IngestRow:
    """A report to submit. `row` holds agent_key, status, current_task, performance_metrics and
    error; `measured` are metrics to store with it. With `keeps_task`, the task of the report before
    is stored instead of its own. Raises Invalid."""
    error = row["error"]
    if error is None and not keeps_task and not measured:
        return report_template(row).row(at, key)
    row = {"performance_metrics": {}, **row, "reported_at": at}
    if error is not None:
        row["entry"] = {"at": print_time(at), "error": error}
    if keeps_task:
        row["keeps_task"] = True
    if measured:
        row["measured"] = measured
    return VALIDATOR.ingest_row(row, at, key)


def report_template(row: Row) -> RowTemplate:
    """A report without an error and metrics, which is stored once its id and time are known. Raises
    Invalid."""
    row = {"performance_metrics": {}, **row}
    return VALIDATOR.template(row, "reported_at", is_plain=True)


def performance(
    at: datetime, response_time: Decimal, success_rate: Decimal, tags: Row
) -> list[Row]:
    """The two performance metrics of an agent, in milliseconds and percent. Raises Invalid."""
    prefix = f"agent_{tags['agent_key']}"
    measured = {"response_time": response_time, "success_rate": success_rate}
    validation.raise_if_invalid(validation.field_errors(PERFORMANCE, measured))
    rows: list[Row] = [
        {"metric_name": f"{prefix}_response_time", "value": response_time, "unit": "ms"},
        {"metric_name": f"{prefix}_success_rate", "value": success_rate, "unit": "percentage"},
    ]
    return [RECORDED.validator.row({**row, "tags": tags, "timestamp": at}, at) for row in rows]


async def mark_offline(database: Database) -> int:
    """Mark agents OFFLINE that are silent for `agents.offline_after_seconds`; return how many.

    Several processes may do so at once. Raises as sessions do.
    """
    async with database.read() as session:
        after = timedelta(seconds=float(await numbers.read(session, numbers.OFFLINE_AFTER)))
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


async def forget(session: WriteSession, agent_key: str) -> tuple[UUID, UUID]:
    """Delete the state of an agent; its history is kept and ends OFFLINE. Return the ids of the
    agent and of the event about it. Raises NotFound."""
    now, state = session.now(), Agent.select().where(Agent.agent_key == agent_key)
    if (agent := await session.record(Agent, state)) is None:
        raise NotFound(NO_AGENT)
    gone = offline.offline_transition(agent, now)
    unrestricted = session.unrestricted()
    await partition.ensure(unrestricted, AgentReport, [gone.at])
    await unrestricted.execute(offline.insert_final_report(gone))
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
    return agent.id, gone.event_id


REPORTED = IngestTarget(
    "agents",
    (AgentReport, Event, Metric),
    VALIDATOR,
    insert_reports(),
    ("agents", "events"),
    insert_plain_reports(),
)
