"""Ingestion: what was acknowledged is stored once, and each bad item refuses itself alone."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Executable, func, select, text

import db
from counting import statements
from db import Database
from db.audit import AuditEntry, Change
from db.core import ingest, migrate
from db.core.act import Act
from db.core.embedded import Embedded
from db.core.errors import Invalid, OutcomeUnknown, RateLimited, Unavailable
from db.core.ingest import Ingestion
from db.core.item import MAX_BYTES, Item, rules
from db.events import LOGGED, Event
from waiting import until

NOW = datetime.now(UTC)


@pytest.fixture
async def ingestion(database: Database) -> AsyncIterator[Ingestion]:
    ingestion = Ingestion(database)
    yield ingestion
    await ingestion.close()


def event(number: int, at: datetime = NOW, key: str | None = None, **row: Any) -> Item:
    given = {"event_type": f"e{number}", "source": "test", "severity": "INFO", "payload": {}}
    others = {"timestamp": at, "metadata": {}, "user_id": None}
    return LOGGED.rules.item({**given, **others, **row}, at, key)


def unchecked(number: int, **row: Any) -> Item:
    """An item that nobody looked at before PostgreSQL does."""
    item = event(number)
    return Item(item.id, item.at, orjson.dumps({**orjson.loads(item.text), **row}))


def report(number: int, at: datetime, agent: str = "a", **row: Any) -> Item:
    given = {"agent_key": agent, "status": "RUNNING", "current_task": {"n": number}, "error": None}
    return db.reports.report({**given, **row}, at, None)


async def rows(database: Database, statement: Executable) -> list[Any]:
    async with database.read() as session:
        return [tuple(row) for row in await session.rows(statement)]


async def count(database: Database) -> int:
    return (await rows(database, select(func.count()).select_from(Event)))[0][0]


async def agent(database: Database, key: str = "a") -> Any:
    async with database.read() as session:
        statement = db.agents.Agent.select().where(db.agents.Agent.agent_key == key)
        return await session.record(db.agents.Agent, statement)


async def test_every_item_is_stored_once(database: Database, ingestion: Ingestion) -> None:
    parcels = [[event(100 * n + i) for i in range(100)] for n in range(30)]
    answers = await asyncio.gather(*(ingestion.take(LOGGED, items) for items in parcels))
    assert answers == [{}] * 30
    stored = {id for (id,) in await rows(database, select(Event.id))}
    assert stored == {item.id for items in parcels for item in items}
    assert await count(database) == 3000


async def test_order_of_storing_is_that_of_arrival(
    database: Database, ingestion: Ingestion
) -> None:
    items = [event(n, NOW - timedelta(seconds=n)) for n in range(50)]
    await ingestion.take(LOGGED, items)
    stored = await rows(database, select(Event.id).order_by(Event.seq))
    assert [id for (id,) in stored] == [item.id for item in items]


async def test_repeats_are_folded(database: Database, ingestion: Ingestion) -> None:
    first = [event(1, key="k"), event(1, key="k")]
    assert await ingestion.take(LOGGED, first) == {}
    assert await ingestion.take(LOGGED, [event(2, key="k")]) == {}
    assert await rows(database, select(Event.event_type)) == [("e1",)]


async def test_missing_months_are_made(database: Database, ingestion: Ingestion) -> None:
    times = [NOW - timedelta(days=31 * n) for n in range(12)]
    assert await ingestion.take(LOGGED, [event(n, at) for n, at in enumerate(times)]) == {}
    assert await count(database) == 12


async def test_a_month_that_was_dropped_is_made_again(
    database: Database, ingestion: Ingestion
) -> None:
    at = NOW - timedelta(days=400)
    await ingestion.take(LOGGED, [event(1, at)])
    async with database.write() as session:
        await session.execute(text(f"drop table {db.core.partition.name(Event, at)}"))
    assert await ingestion.take(LOGGED, [event(2, at)]) == {}
    assert await rows(database, select(Event.event_type)) == [("e2",)]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"payload": {"a": "\0"}}, None),
        ({"payload": {"\0": "a"}}, None),
        ({"payload": ["\\", "a\0"]}, None),
        ({"payload": "x" * MAX_BYTES}, None),
        ({"payload": "\ud800"}, None),
        ({"payload": 2**80}, None),
        ({"event_type": ""}, "event_type"),
        ({"event_type": "x" * 201}, "event_type"),
        ({"severity": "BAD"}, "severity"),
    ],
)
def test_what_is_refused_beforehand(row: dict[str, Any], field: str | None) -> None:
    with pytest.raises(Invalid) as refused:
        event(1, **row)
    assert refused.value.field == field


def test_a_backslash_before_u0000_is_no_nul() -> None:
    assert b"u0000" in event(1, payload={"a": "\\u0000"}).text


def test_deep_json_is_refused() -> None:
    payload: Any = 1
    for _ in range(40):
        payload = [payload]
    with pytest.raises(Invalid, match="nested"):
        event(1, payload=payload)


@pytest.mark.parametrize("days", [-3660, 2])
def test_times_far_away_are_refused(days: int) -> None:
    with pytest.raises(Invalid):
        event(1, NOW + timedelta(days=days))


@pytest.mark.parametrize("value", [1e9, -1e9, 1e300])
def test_numbers_out_of_range_are_refused(value: float) -> None:
    row = {"metric_name": "m", "value": value, "unit": None, "tags": {}, "timestamp": NOW}
    with pytest.raises(Invalid) as refused:
        db.metrics.RECORDED.rules.item(row, NOW)
    assert refused.value.field == "value"


async def test_poison_that_only_postgresql_sees_refuses_itself_alone(
    database: Database, ingestion: Ingestion
) -> None:
    items: list[Item] = [event(n) for n in range(200)]
    bad = {
        3: unchecked(3, severity="BAD"),
        77: unchecked(77, payload={"a": "\0"}),
        78: unchecked(78, user_id="nobody"),
        199: unchecked(199, timestamp="yesterday-ish"),
    }
    for position, item in bad.items():
        items[position] = item
    errors = await ingestion.take(LOGGED, items)
    assert errors.keys() == bad.keys()
    assert {type(error) for error in errors.values()} == {Invalid}
    assert await count(database) == 196


async def test_a_text_too_large_for_an_index_refuses_itself_alone(
    database: Database, ingestion: Ingestion
) -> None:
    noise = os.urandom(5000).hex()  # PostgreSQL would compress anything regular
    errors = await ingestion.take(LOGGED, [event(1), unchecked(2, source=noise), event(3)])
    assert list(errors) == [1]
    assert await count(database) == 2


async def test_a_full_lane_refuses_at_once_and_loses_nothing(
    database: Database, ingestion: Ingestion
) -> None:
    parcels = [[event(n) for n in range(1000)] for _ in range(30)]
    answers = await asyncio.gather(
        *(ingestion.take(LOGGED, items) for items in parcels), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, RateLimited)]
    assert [answer for answer in answers if answer == {}] == [{}] * 20
    assert len(refused) == 10
    assert all(0.05 <= error.retry_after <= 5 for error in refused)
    assert await count(database) == 20_000
    assert await ingestion.take(LOGGED, [event(1)]) == {}


async def test_a_lane_is_bounded_by_bytes_too(ingestion: Ingestion) -> None:
    large = [event(n, payload="x" * 90_000) for n in range(400)]
    with pytest.raises(RateLimited):
        await ingestion.take(LOGGED, large)
    assert await ingestion.take(LOGGED, large[:10]) == {}


async def test_who_stops_waiting_loses_and_leaks_nothing(
    database: Database, ingestion: Ingestion
) -> None:
    tasks = [
        asyncio.create_task(ingestion.take(LOGGED, [event(n) for n in range(10)]))
        for _ in range(50)
    ]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await ingestion.close()
    assert await count(database) == 500
    lane = ingestion.lanes[LOGGED]
    assert (lane.rows, lane.bytes, len(lane.waiting)) == (0, 0, 0)


async def test_stopping_stores_what_was_taken_and_takes_nothing_more(database: Database) -> None:
    ingestion = Ingestion(database)
    for _ in range(20):
        ingestion.offer(LOGGED, [event(n) for n in range(100)])
    await ingestion.close()
    assert await count(database) == 2000
    with pytest.raises(Unavailable):
        await ingestion.take(LOGGED, [event(1)])


async def test_connections_lost_in_flight_cost_nothing(
    database: Database, database_url: str, ingestion: Ingestion
) -> None:
    """Somebody keeps throwing everybody out of the database while items come in."""
    murderer = Database(database_url, pool_size=1)
    others = text(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    parcels = [[event(n) for n in range(50)] for _ in range(200)]
    answers = []
    for start in range(0, 200, 10):
        batch = asyncio.gather(*(ingestion.take(LOGGED, items) for items in parcels[start:][:10]))
        async with murderer.read() as session:
            await session.rows(others)
        answers += await batch
    await murderer.close()
    assert answers == [{}] * 200
    assert await count(database) == 10_000


async def test_the_newest_report_is_the_state(database: Database, ingestion: Ingestion) -> None:
    times = [NOW - timedelta(seconds=n) for n in (5, 3, 9, 4)]
    reports = [report(n, at) for n, at in enumerate(times)]
    await ingestion.take(db.reports.REPORTED, reports[:1])
    await ingestion.take(db.reports.REPORTED, reports[1:])
    state = await agent(database)
    assert (state.current_task, state.last_active) == ({"n": 1}, times[1])
    await ingestion.take(db.reports.REPORTED, [report(9, NOW - timedelta(seconds=60))])
    assert (await agent(database)).current_task == {"n": 1}


async def test_of_two_reports_of_one_moment_the_later_stored_is_the_state(
    database: Database, ingestion: Ingestion
) -> None:
    await ingestion.take(db.reports.REPORTED, [report(1, NOW), report(2, NOW)])
    assert (await agent(database)).current_task == {"n": 2}
    await ingestion.take(db.reports.REPORTED, [report(3, NOW)])
    assert (await agent(database)).current_task == {"n": 3}


async def test_what_was_measured_last_stays(database: Database, ingestion: Ingestion) -> None:
    measured = {"performance_metrics": {"tasks": 3}}
    await ingestion.take(db.reports.REPORTED, [report(1, NOW, **measured), report(2, NOW)])
    await ingestion.take(db.reports.REPORTED, [report(3, NOW)])
    assert (await agent(database)).performance_metrics == {"tasks": 3}


async def test_the_twenty_newest_errors_are_kept(database: Database, ingestion: Ingestion) -> None:
    def failed(number: int) -> Item:
        return report(number, NOW - timedelta(seconds=100 - number), error=f"error {number}")

    await ingestion.take(db.reports.REPORTED, [failed(n) for n in range(30)])
    await ingestion.take(db.reports.REPORTED, [failed(n) for n in (31, 30)])
    await ingestion.take(db.reports.REPORTED, [failed(5)])  # too old to be kept
    log = (await agent(database)).error_log
    assert [entry["error"] for entry in log] == [f"error {n}" for n in range(12, 32)]


async def test_a_report_says_what_came_before(database: Database, ingestion: Ingestion) -> None:
    for batch in (["IDLE", "RUNNING"], ["PAUSED"], ["RUNNING", "IDLE"]):
        items = [report(n, NOW, status=status) for n, status in enumerate(batch)]
        await ingestion.take(db.reports.REPORTED, items)
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
        await ingestion.take(db.reports.REPORTED, [item, item])
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
            sent.append(one.take(db.reports.REPORTED, items))
    assert await asyncio.gather(*sent) == [{}] * 40
    await second.close()
    await other.close()
    assert len(await rows(database, select(db.agents.AgentReport.id))) == 1600
    tasks = await rows(database, select(db.agents.Agent.current_task).distinct())
    assert tasks == [({"n": 19},)]


async def test_an_agent_can_be_forgotten(database: Database, ingestion: Ingestion) -> None:
    await ingestion.take(db.reports.REPORTED, [report(1, NOW)])
    async with database.write() as session:
        await db.reports.forget(session, "a")
    assert await agent(database) is None
    line = db.agents.AgentReport
    lines = select(line.status, line.previous_status).order_by(line.seq)
    assert await rows(database, lines) == [("RUNNING", None), ("OFFLINE", "RUNNING")]
    types = await rows(database, select(Event.event_type).order_by(Event.seq))
    assert types == [("agent_status_update",), ("agent_forgotten",)]


async def test_what_nobody_waits_for_is_stored_together(
    database: Database, ingestion: Ingestion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "LINGER_SECONDS", 0.05)
    count = select(func.count()).select_from(Event)
    ingestion.offer(LOGGED, [event(0)])
    await asyncio.sleep(0)
    with statements(database, exactly=1):
        ingestion.offer(LOGGED, [event(1)])
        lane = ingestion.lanes[LOGGED]
        lane.months.add((NOW.year, NOW.month))
        await until(lambda: not lane.rows)
    assert await rows(database, count) == [(2,)]


async def test_what_nobody_waits_for_goes_with_what_somebody_does(
    database: Database, ingestion: Ingestion
) -> None:
    ingestion.offer(LOGGED, [event(0)])
    assert await ingestion.take(LOGGED, [event(1)]) == {}
    count = select(func.count()).select_from(Event)
    assert await rows(database, count) == [(2,)]
    assert ingestion.lanes[LOGGED].lingering is None


async def test_forgetting_an_agent_leaves_a_trace(database: Database, ingestion: Ingestion) -> None:
    await ingestion.take(db.reports.REPORTED, [report(1, NOW)])
    [(id, status)] = await rows(database, select(db.agents.Agent.id, db.agents.Agent.status))
    async with database.write(Act("forgetAgent", "test-request")) as session:
        await db.reports.forget(session, "a")
    async with database.read() as session:
        [entry] = await session.records(AuditEntry, AuditEntry.select())
        [change] = await session.records(Change, Change.select())
    done = (entry.operation, entry.request_id, entry.entity, entry.entity_id)
    assert done == ("forgetAgent", "test-request", "agent_states", id)
    assert (entry.before["agent_key"], entry.before["status"]) == ("a", status)
    assert entry.after is None
    assert (change.noun, change.entity_id, change.kind) == ("agent_states", id, "DELETED")


async def test_without_a_server_nothing_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Never sent: not stored. Sent, and then silence: nobody knows."""
    monkeypatch.setattr(ingest, "DEADLINE_SECONDS", 0.5)
    embedded = Embedded(tmp_path / "postgres")
    with embedded as url:
        await migrate.upgrade(url)
        database = Database(url)
        ingestion = Ingestion(database)
        assert await ingestion.take(LOGGED, [event(1)]) == {}
        assert embedded.server.pid
        os.kill(embedded.server.pid, signal.SIGSTOP)  # it answers nobody, connections stay
        stopped = children(embedded.server.pid, signal.SIGSTOP)
        errors = await ingestion.take(LOGGED, [event(2)])
        assert isinstance(errors[0], OutcomeUnknown)
        for pid in (*stopped, embedded.server.pid):
            os.kill(pid, signal.SIGCONT)
    errors = await ingestion.take(LOGGED, [event(3)])
    assert isinstance(errors[0], Unavailable)
    await ingestion.close()
    await database.close()


def children(pid: int, how: signal.Signals) -> list[int]:
    """Sends a signal to all children of a process; returns their numbers."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    found = [int(number) for number in path.read_text().split()]
    for child in found:
        os.kill(child, how)
    return found


def test_rules_come_from_the_table() -> None:
    made = rules(db.metrics.Metric, "metric_name")
    assert (made.names, dict(made.limits)) == (("metric_name",), {"value": 1e9})
    assert LOGGED.rules.choices == {"severity": set(db.events.EventSeverity)}
