"""Reports of agents: the state, the history and the events that follow from them."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

import db
from db import Database
from db.audit import AuditEntry, Change
from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import Ingestion
from db.core.session.audit_context import AuditContext
from db.core.session.direct_writes import DirectConnection
from db.events import Event
from support.feeds import number_changes
from support.ingest_rows import NOW, report
from support.stored_rows import rows


async def agent(database: Database, key: str = "a") -> Any:
    async with database.read() as session:
        statement = db.agents.Agent.select().where(db.agents.Agent.agent_key == key)
        return await session.record(db.agents.Agent, statement)


async def test_the_newest_report_is_the_state(database: Database, ingestion: Ingestion) -> None:
    times = [NOW - timedelta(seconds=n) for n in (5, 3, 9, 4)]
    reports = [report(n, at) for n, at in enumerate(times)]
    await ingestion.submit(db.agents.reports.REPORTED, reports[:1])
    await ingestion.submit(db.agents.reports.REPORTED, reports[1:])
    state = await agent(database)
    assert (state.current_task, state.reported_at) == ({"n": 1}, times[1])
    await ingestion.submit(db.agents.reports.REPORTED, [report(9, NOW - timedelta(seconds=60))])
    assert (await agent(database)).current_task == {"n": 1}


async def test_of_two_reports_of_one_moment_the_later_stored_is_the_state(
    database: Database, ingestion: Ingestion
) -> None:
    await ingestion.submit(db.agents.reports.REPORTED, [report(1, NOW), report(2, NOW)])
    assert (await agent(database)).current_task == {"n": 2}
    await ingestion.submit(db.agents.reports.REPORTED, [report(3, NOW)])
    assert (await agent(database)).current_task == {"n": 3}


async def test_the_latest_measurement_is_kept(database: Database, ingestion: Ingestion) -> None:
    measured = {"performance_metrics": {"tasks": 3}}
    await ingestion.submit(db.agents.reports.REPORTED, [report(1, NOW, **measured), report(2, NOW)])
    await ingestion.submit(db.agents.reports.REPORTED, [report(3, NOW)])
    assert (await agent(database)).performance_metrics == {"tasks": 3}


async def test_the_twenty_newest_errors_are_kept(database: Database, ingestion: Ingestion) -> None:
    def failed(number: int) -> IngestRow:
        return report(number, NOW - timedelta(seconds=100 - number), error=f"error {number}")

    await ingestion.submit(db.agents.reports.REPORTED, [failed(n) for n in range(30)])
    await ingestion.submit(db.agents.reports.REPORTED, [failed(n) for n in (31, 30)])
    await ingestion.submit(db.agents.reports.REPORTED, [failed(5)])  # too old to be kept
    log = (await agent(database)).error_log
    assert [entry["error"] for entry in log] == [f"error {n}" for n in range(12, 32)]


async def test_a_report_has_its_previous_status(database: Database, ingestion: Ingestion) -> None:
    for batch in (["IDLE", "RUNNING"], ["PAUSED"], ["RUNNING", "IDLE"]):
        items = [report(n, NOW, status=status) for n, status in enumerate(batch)]
        await ingestion.submit(db.agents.reports.REPORTED, items)
    history = db.agents.AgentReport
    stored = await rows(
        database, select(history.previous_status, history.status).order_by(history.seq)
    )
    statuses = ["IDLE", "RUNNING", "PAUSED", "RUNNING", "IDLE"]
    assert stored == list(zip([None, *statuses], statuses, strict=False))


async def test_a_report_sent_twice_has_no_second_effect(
    database: Database, ingestion: Ingestion
) -> None:
    item = report(1, NOW, error="once")
    for _ in range(2):
        await ingestion.submit(db.agents.reports.REPORTED, [item, item])
    assert len((await agent(database)).error_log) == 1
    assert await rows(database, select(Event.event_type)) == [("agent_status_update",)]
    assert len(await rows(database, select(db.agents.AgentReport.id))) == 1


async def test_two_gateways_reporting_the_same_agents_do_not_wait_for_each_other(
    database: Database, database_url: str, ingestion: Ingestion
) -> None:
    other = Database(database_url)
    second = Ingestion(other)
    keys = [f"agent-{n}" for n in range(40)]
    sent = []
    for n in range(20):
        for one, order in ((ingestion, keys), (second, keys[::-1])):
            items = [report(n, NOW + timedelta(milliseconds=n), key) for key in order]
            sent.append(one.submit(db.agents.reports.REPORTED, items))
    assert await asyncio.gather(*sent) == [{}] * 40
    await second.close()
    await other.close()
    assert len(await rows(database, select(db.agents.AgentReport.id))) == 1600
    tasks = await rows(database, select(db.agents.Agent.current_task).distinct())
    assert tasks == [({"n": 19},)]


async def test_an_agent_can_be_forgotten(database: Database, ingestion: Ingestion) -> None:
    await ingestion.submit(db.agents.reports.REPORTED, [report(1, NOW)])
    async with database.write() as session:
        await db.agents.reports.forget(session, "a")
    assert await agent(database) is None
    line = db.agents.AgentReport
    lines = select(line.status, line.previous_status).order_by(line.seq)
    assert await rows(database, lines) == [("RUNNING", None), ("OFFLINE", "RUNNING")]
    types = await rows(database, select(Event.event_type).order_by(Event.seq))
    assert types == [("agent_status_update",), ("agent_forgotten",)]


async def test_forgetting_an_agent_leaves_a_trace(database: Database, ingestion: Ingestion) -> None:
    await ingestion.submit(db.agents.reports.REPORTED, [report(1, NOW)])
    [(id, status)] = await rows(database, select(db.agents.Agent.id, db.agents.Agent.status))
    async with database.write(AuditContext("deleteAgent", "test-request")) as session:
        await db.agents.reports.forget(session, "a")
    await number_changes(database)
    async with database.read() as session:
        [entry] = await session.records(AuditEntry, AuditEntry.select())
        [change] = await session.records(Change, Change.select())
    done = (entry.operation, entry.request_id, entry.entity, entry.entity_id)
    assert done == ("deleteAgent", "test-request", "agent_states", id)
    assert (entry.before["agent_key"], entry.before["status"]) == ("a", status)
    assert entry.after is None
    assert (change.noun, change.entity_id, change.kind) == ("agent_states", id, "DELETED")


async def test_a_report_keeps_the_task_of_the_one_before_in_its_batch(
    database: Database, ingestion: Ingestion
) -> None:
    """Before by time: the order in which they came says nothing."""

    def sent(
        seconds: int, agent_key: str = "a", task: Any = None, keeps: bool = False
    ) -> IngestRow:
        row = {"agent_key": agent_key, "status": "RUNNING", "current_task": task, "error": None}
        return db.agents.reports.report(
            row, NOW - timedelta(seconds=seconds), None, keeps_task=keeps
        )

    await ingestion.submit(
        db.agents.reports.REPORTED, [sent(90, task="old"), sent(90, "b", "other")]
    )
    batch = [
        sent(10, keeps=True),
        sent(50, keeps=True),
        sent(30, task="new"),
        sent(20, keeps=True),
        sent(40, "b", "told"),
        sent(60, "b", keeps=True),
        sent(60, "c", keeps=True),
    ]
    await ingestion.submit(db.agents.reports.REPORTED, batch)
    table = db.agents.AgentReport
    statement = select(table.agent_key, table.current_task).order_by(table.id)
    tasks = await rows(database, statement)
    history = {name: [task for key, task in tasks if key == name] for name in "abc"}
    assert history == {
        "a": ["old", "old", "new", "new", "new"],
        "b": ["other", "other", "told"],
        "c": [None],
    }
    states = {key: (await agent(database, key)).current_task for key in "abc"}
    assert states == {"a": "new", "b": "told", "c": None}


@pytest.mark.parametrize("seed", range(3))
async def test_plain_reports_are_stored_as_others_are(
    database: Database, ingestion: Ingestion, seed: int
) -> None:
    random = Random(seed)  # noqa: S311  not for secrets
    for _ in range(10):
        made = [plain_report(random) for _ in range(random.choice([1, 2, 7, 20]))]
        plain = [report(n, at, f"plain-{agent}", **values) for n, at, agent, values in made]
        others = [report(n, at, f"other-{agent}", **values) for n, at, agent, values in made]
        assert all(row.is_plain for row in plain)
        await ingestion.submit(db.agents.reports.REPORTED, plain)
        await ingestion.submit(
            db.agents.reports.REPORTED, [replace(row, is_plain=False) for row in others]
        )

    for table in (db.agents.Agent, db.agents.AgentReport, Event):
        stored = [facts(row) for row in await rows(database, table.select())]
        plain_facts = [row for row in stored if "plain-" in row]
        assert len(plain_facts) == len(stored) / 2 > 1
        assert sorted(row.replace("plain-", "other-") for row in plain_facts) == sorted(
            row for row in stored if "other-" in row
        )


async def test_a_plain_report_that_is_sent_again_is_stored_once(
    database: Database, ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    send = DirectConnection.execute
    lost = iter([True, False])

    async def lose(*arguments: Any) -> Any:
        result = await send(*arguments)
        if next(lost):
            raise ConnectionResetError  # the answer of PostgreSQL never arrives
        return result

    monkeypatch.setattr(DirectConnection, "execute", lose)
    assert await ingestion.submit(db.agents.reports.REPORTED, [report(1, NOW)]) == {}
    assert len(await rows(database, db.agents.AgentReport.select())) == 1


def plain_report(random: Random) -> tuple[int, datetime, str, dict[str, Any]]:
    at = NOW - timedelta(seconds=random.choice([0, 0, 1, 5, random.random(), -60]))
    values = {
        "status": random.choice(["RUNNING", "IDLE", "ERROR"]),
        "current_task": random.choice([None, {"n": random.random()}, [1]]),
        "performance_metrics": random.choice([{}, {}, {"tasks": random.random()}]),
    }
    return 0, at, random.choice("abc"), values


def facts(row: Any) -> str:
    """A row without its ids and the times of PostgreSQL's clock."""
    return str([part for part in row if not isinstance(part, UUID | int) and not is_recent(part)])


def is_recent(part: Any) -> bool:
    """Whether this is a time after those of the reports, but for one from the future."""
    return isinstance(part, datetime) and part > NOW and part != NOW + timedelta(seconds=60)
