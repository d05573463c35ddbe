"""Silent agents: one OFFLINE report each, never in place of a real one."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, select, text

import db
from db import Database
from db.agents import Agent, AgentReport
from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import Ingestion
from db.events import Event
from support.factories import make_agent, make_config_entry
from support.query_count import statements
from support.wait import until

WAITING = text(
    "select pid from pg_locks join pg_database on pg_database.oid = database"
    " where datname = current_database() and locktype = 'advisory' and not granted"
)
LINE = AgentReport.agent_key, AgentReport.status, AgentReport.previous_status


async def rows(database: Database, statement: Executable) -> list[Any]:
    async with database.read() as session:
        return [tuple(row) for row in await session.rows(statement)]


async def lines(database: Database) -> list[Any]:
    return await rows(database, select(*LINE).order_by(AgentReport.seq))


def report(key: str, status: str = "RUNNING", at: datetime | None = None) -> IngestRow:
    row = {"agent_key": key, "status": status, "current_task": None, "error": None}
    return db.agents.reports.report(row, at or datetime.now(UTC), None)


async def make_silent(database: Database, key: str, seconds: float = 301, **more: Any) -> Any:
    active = datetime.now(UTC) - timedelta(seconds=seconds)
    return await make_agent(database, agent_key=key, last_active=active, **more)


async def test_a_silent_agent_becomes_offline(database: Database) -> None:
    silent = await make_silent(database, "a", status="RUNNING", current_task={"n": 1})
    await make_silent(database, "b", seconds=290)
    await make_silent(database, "c", status="OFFLINE")

    assert await db.agents.reports.mark_offline(database) == 1
    assert await lines(database) == [("a", "OFFLINE", "RUNNING")]
    state = Agent.status, Agent.last_active, Agent.current_task, Agent.last_seq
    [(status, last_active, task, seq)] = await rows(
        database, select(*state).where(Agent.agent_key == "a")
    )
    assert (status, last_active, task) == ("OFFLINE", silent.last_active, {"n": 1})
    assert await rows(database, select(AgentReport.seq)) == [(seq,)]
    happened = select(Event.event_type, Event.source, Event.payload)
    facts = {"agent_key": "a", "status": "OFFLINE", "task": None, "error": None}
    assert await rows(database, happened) == [("agent_status_update", "agent-manager", facts)]
    assert await db.agents.reports.mark_offline(database) == 0


async def test_how_long_is_a_setting(database: Database) -> None:
    await make_config_entry(database, key=db.config.numbers.OFFLINE_AFTER, value=20)
    await make_silent(database, "a", seconds=21)
    await make_silent(database, "b", seconds=15)
    assert await db.agents.reports.mark_offline(database) == 1


async def test_nothing_is_locked_where_all_are_well(database: Database) -> None:
    await make_silent(database, "a", seconds=10)
    with statements(database, exactly=2):
        assert await db.agents.reports.mark_offline(database) == 0


async def test_a_report_brings_an_agent_back(database: Database) -> None:
    await make_silent(database, "a")
    await db.agents.reports.mark_offline(database)
    await Ingestion(database).submit(db.agents.reports.REPORTED, [report("a")])
    assert await rows(database, select(Agent.status)) == [("RUNNING",)]
    assert await lines(database) == [("a", "OFFLINE", "IDLE"), ("a", "RUNNING", "OFFLINE")]


async def test_many_processes_write_it_once(database: Database, others: list[Database]) -> None:
    """With reports in between: an agent whose report is stored first is not signed off."""
    keys = [f"agent-{number:02}" for number in range(40)]
    for key in keys:
        await make_silent(database, key)
    reporting = keys[::2]

    async def sign_off(other: Database) -> int:
        return sum([await db.agents.reports.mark_offline(other) for _ in range(5)])

    async def come_back() -> None:
        ingestion = Ingestion(database)
        for start in range(0, len(reporting), 4):
            items = [report(key) for key in reversed(reporting[start : start + 4])]
            assert not await ingestion.submit(db.agents.reports.REPORTED, items)

    *signed, _ = await asyncio.gather(*map(sign_off, others), come_back())
    offline = [key for key, status, _ in await lines(database) if status == "OFFLINE"]
    assert len(offline) == len(set(offline)) == sum(signed)
    assert set(keys[1::2]) <= set(offline)
    now = dict(await rows(database, select(Agent.agent_key, Agent.status)))
    assert now == {key: "RUNNING" if key in reporting else "OFFLINE" for key in keys}


async def test_a_report_that_comes_first_wins(database: Database, others: list[Database]) -> None:
    """It is under way, with the locks of the feeds, when the silence is noticed."""
    await make_silent(database, "a")
    async with others[0].write() as session:
        statement = db.agents.reports.REPORTED.statement
        items = b"[" + report("a").text + b"]"
        await session.execute(statement, {"items": items.decode()})
        signing_off = asyncio.create_task(db.agents.reports.mark_offline(database))
        await until_somebody_waits(others[1])
    assert await signing_off == 0
    assert await lines(database) == [("a", "RUNNING", "IDLE")]


async def until_somebody_waits(database: Database) -> None:
    await until(lambda: rows(database, WAITING))


async def test_reports_and_forgetting_do_not_wait_for_each_other_for_ever(
    database: Database, others: list[Database]
) -> None:
    keys = [f"agent-{number}" for number in range(10)]
    for key in keys:
        await make_silent(database, key)

    async def report_all(other: Database, order: list[str]) -> None:
        ingestion = Ingestion(other)
        for _ in range(10):
            assert not await ingestion.submit(
                db.agents.reports.REPORTED, [report(key) for key in order]
            )

    async def forget_all(other: Database) -> int:
        forgotten = 0
        for key in keys * 3:
            try:
                async with other.write() as session:
                    await db.agents.reports.forget(session, key)
                forgotten += 1
            except db.core.errors.NotFound:
                pass
        return forgotten

    async def sign_off(other: Database) -> None:
        for _ in range(10):
            await db.agents.reports.mark_offline(other)

    *_, forgotten = await asyncio.gather(
        report_all(others[0], keys),
        report_all(others[1], keys[::-1]),
        sign_off(others[2]),
        forget_all(others[3]),
    )
    received = select(AgentReport.id).where(AgentReport.status == "OFFLINE")
    happened = select(Event.id).where(Event.event_type == "agent_forgotten")
    assert len(await rows(database, happened)) == forgotten > 0
    assert len(await rows(database, received)) >= forgotten


async def test_an_unknown_agent_is_not_forgotten(database: Database) -> None:
    with pytest.raises(db.core.errors.NotFound):
        async with database.write() as session:
            await db.agents.reports.forget(session, "nobody")
    assert await lines(database) == []
