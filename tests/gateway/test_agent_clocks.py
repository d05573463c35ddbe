"""Agents and gateways whose clocks are wrong: what is shown follows the database and the arrival of
reports, in states, histories, streams and figures alike."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import text, update
from starlette.applications import Starlette

import db
from db import Database
from db.agents import Agent
from db.core.session.clock import Clock
from db.importer import Report, import_files
from gateway import maintenance
from support.gateways import ask, gateway, make_key, production
from support.running_gateway import serving
from support.websocket_client import greeted

SCOPES = ["agents:read", "agents:write", "events:read"]
REPORT = """mutation {{ reportAgentStatus(input: {{
  agentKey: "{key}", status: {status}{time}
}}) {{ __typename ... on Invalid {{ code field message }} }} }}"""
STATE = """{{ agent(key: "{key}") {{
  status lastActive receivedAt isStale
  history {{ nodes {{ status previousStatus reportedAt receivedAt }} }}
}} }}"""
ACTIVITY = """{ agentActivity(from: "1970-01-01T00:00:00Z") {
  agentKey status changes averageSeconds
} }"""
EVENTS = "{ events { nodes { eventType timestamp } } }"
FOLLOW = "subscription { agentStatus { kind agents { key status isStale lastActive } } }"
SLOW, FAST, DAY = timedelta(seconds=-400), timedelta(minutes=4), timedelta(days=1)


def printed(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Gateway:
    """A gateway of this test, with a clock of its own."""

    def __init__(self, app: Starlette, database: Database, key: str) -> None:
        self.app, self.database, self.key = app, database, key

    async def ask(self, query: str) -> Any:
        answer = (await ask(self.app, self.key, query)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def report(self, key: str, status: str, at: datetime | None = None) -> Any:
        time = "" if at is None else f', reportedAt: "{printed(at)}"'
        text = REPORT.format(key=key, status=status, time=time)
        return (await self.ask(text))["reportAgentStatus"]

    async def state(self, key: str = "a") -> Any:
        return (await self.ask(STATE.format(key=key)))["agent"]

    async def activity(self) -> dict[tuple[str, str], Any]:
        rows = (await self.ask(ACTIVITY))["agentActivity"]
        return {(row["agentKey"], row["status"]): row for row in rows}

    async def sweep(self) -> None:
        """Looks after silent agents, as it does every few seconds while it serves."""
        await maintenance.mark_agents_offline(self.database)


@pytest.fixture
async def two(database: Database, database_url: str) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two gateways of one database; the clock of the first one's machine jumps ten minutes ahead
    once it has started."""
    settings = production()
    key = (await make_key(database, settings, scopes=SCOPES)).text
    jump = [0.0]
    ahead = Database(database_url, clock=Clock(lambda: time.monotonic() + jump[0]))
    await ahead.now()
    jump[0] = 600.0
    yield (
        Gateway(gateway(settings, ahead), ahead, key),
        Gateway(gateway(settings, database), database, key),
    )
    await ahead.close()


async def silence(database: Database, seconds: float, key: str = "a") -> None:
    """Makes everything that is known of an agent so much older."""
    ago = timedelta(seconds=seconds)
    async with database.write() as session:
        moved = {
            name: getattr(Agent, name) - ago
            for name in ("last_active", "received_at", "reported_at")
        }
        await session.execute(update(Agent).where(Agent.agent_key == key).values(moved))
        await session.execute(
            text(
                "update agent_history set reported_at = reported_at - cast(:ago as interval),"
                " received_at = received_at - cast(:ago as interval) where agent_key = :key"
            ),
            {"ago": ago, "key": key},
        )


async def test_gateways_with_different_clocks_agree(two: tuple[Gateway, Gateway]) -> None:
    ahead, right = two
    for each in (ahead, right, ahead):
        await each.report("a", "RUNNING")
        await right.sweep()
        await ahead.sweep()

    for each in two:
        state = await each.state()
        assert (state["status"], state["isStale"]) == ("RUNNING", False)
        assert [line["status"] for line in state["history"]["nodes"]] == ["RUNNING"] * 3
        assert state["lastActive"] == max(r["receivedAt"] for r in state["history"]["nodes"])
    now = printed(await right.database.now())
    assert abs(seconds_between(state["lastActive"], now)) < 60


async def test_a_gateway_corrects_its_clock_with_each_look(two: tuple[Gateway, Gateway]) -> None:
    ahead, right = two
    await ahead.sweep()
    await ahead.report("a", "RUNNING")
    [line] = (await right.state())["history"]["nodes"]
    assert abs(seconds_between(line["reportedAt"], line["receivedAt"])) < 60
    [event] = (await right.ask(EVENTS))["events"]["nodes"]
    assert event["timestamp"] == line["reportedAt"]


@pytest.mark.parametrize("off", [SLOW, FAST, -DAY], ids=["slow", "fast", "a day behind"])
async def test_an_agent_with_a_wrong_clock_is_alive_while_it_reports(
    two: tuple[Gateway, Gateway], off: timedelta
) -> None:
    """It goes silent in the end, and comes back."""
    _, right = two
    for status in ("STARTING", "RUNNING", "WAITING", "RUNNING"):
        await right.report("a", status, datetime.now(UTC) + off)
        await right.sweep()
        state = await right.state()
        assert (state["status"], state["isStale"]) == (status, False)

    await silence(right.database, 301)
    await right.sweep()
    gone = await right.state()
    assert (gone["status"], gone["isStale"]) == ("OFFLINE", True)
    await right.report("a", "IDLE", datetime.now(UTC) + off)
    back = await right.state()
    assert (back["status"], back["isStale"]) == ("IDLE", False)
    assert back["lastActive"] == back["receivedAt"] > gone["lastActive"]

    lines = back["history"]["nodes"]
    assert sorted(line["status"] for line in lines) == sorted(
        ["STARTING", "RUNNING", "WAITING", "RUNNING", "OFFLINE", "IDLE"]
    )
    activity = await right.activity()
    assert activity["a", "OFFLINE"]["changes"] == 1
    assert 0 <= activity["a", "OFFLINE"]["averageSeconds"] < 60
    assert activity["a", "RUNNING"]["averageSeconds"] < 301
    assert activity["a", "IDLE"]["averageSeconds"] is None


async def test_a_report_from_the_future_is_refused(two: tuple[Gateway, Gateway]) -> None:
    _, right = two
    assert await right.report("a", "RUNNING", datetime.now(UTC) + DAY) == {
        "__typename": "Invalid",
        "code": "INVALID",
        "field": "reportedAt",
        "message": "The time must lie between ten years ago and five minutes from now.",
    }
    assert await right.state() is None


async def test_a_report_that_is_a_little_ahead_freezes_nothing(
    two: tuple[Gateway, Gateway],
) -> None:
    _, right = two
    for status, off in (("RUNNING", FAST), ("ERROR", timedelta()), ("IDLE", timedelta(seconds=5))):
        await right.report("a", status, datetime.now(UTC) + off)
        assert (await right.state())["status"] == status

    activity = await right.activity()
    assert activity["a", "RUNNING"]["averageSeconds"] < 60
    assert activity["a", "ERROR"]["averageSeconds"] < 60
    assert activity["a", "IDLE"]["averageSeconds"] is None


async def test_a_late_report_leaves_the_status_and_says_that_the_agent_lives(
    two: tuple[Gateway, Gateway],
) -> None:
    _, right = two
    await right.report("a", "RUNNING", datetime.now(UTC) - timedelta(seconds=30))
    before = await right.state()
    await silence(right.database, 100)
    assert (await right.state())["isStale"]

    await right.report("a", "PAUSED", datetime.now(UTC) - timedelta(minutes=10))
    after = await right.state()
    assert (after["status"], after["isStale"]) == ("RUNNING", False)
    assert after["lastActive"] > before["lastActive"]
    await right.sweep()
    assert (await right.state())["status"] == "RUNNING"


async def test_any_report_ends_being_offline(two: tuple[Gateway, Gateway]) -> None:
    """Even one that the agent made before it was signed off."""
    _, right = two
    made = datetime.now(UTC) - timedelta(minutes=10)
    await right.report("a", "RUNNING", made)
    await silence(right.database, 301)
    await right.sweep()
    assert (await right.state())["status"] == "OFFLINE"

    await right.report("a", "WAITING", made - timedelta(minutes=20))
    assert (await right.state())["status"] == "WAITING"


async def test_subscribers_see_no_agent_leave_that_reports(database: Database) -> None:
    settings = production()
    key = (await make_key(database, settings, scopes=SCOPES)).text
    async with (
        serving(settings, database) as served,
        greeted(served.address, authorization=f"Bearer {key}") as client,
    ):
        await client.ask("1", FOLLOW)
        assert (await client.hear())["payload"]["data"]["agentStatus"]["kind"] == "SNAPSHOT"
        reporter = Gateway(gateway(settings, database), database, key)
        for status in ("RUNNING", "WAITING"):
            await reporter.report("a", status, datetime.now(UTC) + SLOW)
            await reporter.sweep()
            seen = (await client.hear())["payload"]["data"]["agentStatus"]["agents"]
            state = await reporter.state()
            assert seen == [
                {
                    "key": "a",
                    "status": status,
                    "isStale": False,
                    "lastActive": state["lastActive"],
                }
            ]


OTHERS = {
    "logEvent": ('eventType: "e", source: "s"', "timestamp"),
    "logError": ('message: "m"', "timestamp"),
    "recordMetric": ('metricName: "m", value: 1', "timestamp"),
    "trackUserAction": ('action: "a"', "timestamp"),
    "reportAgentStatus": ('agentKey: "a", status: IDLE', "reportedAt"),
    "reportAgentPerformance": (
        'agentKey: "a", status: IDLE, responseTime: 1, successRate: 1',
        "reportedAt",
    ),
    "reportAgentError": ('agentKey: "a", message: "m"', "reportedAt"),
}


@pytest.mark.parametrize("verb", OTHERS)
async def test_nothing_happened_in_the_future(database: Database, verb: str) -> None:
    settings = production()
    scopes = ["agents:write", "events:write", "metrics:write"]
    key = (await make_key(database, settings, scopes=scopes)).text
    app, (fields, name) = gateway(settings, database), OTHERS[verb]

    async def send(at: datetime) -> Any:
        input = f'{{{fields}, {name}: "{printed(at)}"}}'
        query = f"mutation {{ {verb}(input: {input}) {{ __typename ... on Invalid {{ field }} }} }}"
        return (await ask(app, key, query)).json()["data"][verb]

    now = await database.now()
    assert await send(now + timedelta(minutes=6)) == {"__typename": "Invalid", "field": name}
    assert await send(now - timedelta(days=3660)) == {"__typename": "Invalid", "field": name}
    assert await send(now + timedelta(minutes=4)) == {"__typename": "Stored"}
    assert await send(now - timedelta(days=3650)) == {"__typename": "Stored"}


async def test_one_item_from_the_future_refuses_only_itself(two: tuple[Gateway, Gateway]) -> None:
    _, right = two
    times = [datetime.now(UTC) + off for off in (timedelta(), DAY, SLOW)]
    reports = ", ".join(
        f'{{agentKey: "a{n}", status: "IDLE", reportedAt: "{printed(at)}"}}'
        for n, at in enumerate(times)
    )
    answer = await right.ask(
        f"mutation {{ reportAgentStatuses(input: {{reports: [{reports}]}}) {{"
        " ... on StoredItems { stored refused { index error { code field } } } } }"
    )
    assert answer["reportAgentStatuses"] == {
        "stored": 2,
        "refused": [{"index": 1, "error": {"code": "INVALID", "field": "reportedAt"}}],
    }


# Imports


def line(key: str, status: str, at: str, agent: str = "a") -> bytes:
    facts = {"kind": "agentReport", "key": key, "agentKey": agent, "status": status, "at": at}
    return orjson.dumps({**facts, "performanceMetrics": {}})


async def load(database: Database, folder: Path, *lines: bytes) -> Report:
    file = folder / "reports.jsonl"
    file.write_bytes(b"\n".join(lines))
    return await import_files(database, [file], rejects_dir=folder)


async def test_imported_agents_are_not_signed_off(
    two: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    """The sweep looks between the batches of an import, and after it."""
    _, right = two
    await load(right.database, tmp_path, line("1", "RUNNING", "2024-01-05T10:00:00Z"))
    await right.sweep()
    await load(right.database, tmp_path, line("2", "IDLE", "2024-01-05T10:01:00Z"))
    await right.sweep()

    state = await right.state()
    assert state == {
        "status": "IDLE",
        "lastActive": "2024-01-05T10:01:00.000000Z",
        "receivedAt": None,
        "isStale": True,
        "history": {
            "nodes": [
                {
                    "status": "IDLE",
                    "previousStatus": "RUNNING",
                    "reportedAt": "2024-01-05T10:01:00.000000Z",
                    "receivedAt": None,
                },
                {
                    "status": "RUNNING",
                    "previousStatus": None,
                    "reportedAt": "2024-01-05T10:00:00.000000Z",
                    "receivedAt": None,
                },
            ]
        },
    }
    activity = await right.activity()
    assert activity["a", "RUNNING"]["averageSeconds"] == 60
    assert activity["a", "IDLE"]["averageSeconds"] is None
    assert (await right.ask(EVENTS))["events"]["nodes"] == []


async def test_history_leaves_the_state_of_an_agent_that_reports(
    two: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    _, right = two
    await right.report("a", "RUNNING")
    before = await right.state()
    await load(right.database, tmp_path, line("1", "IDLE", "2024-01-05T10:00:00Z"))
    await right.sweep()

    after = await right.state()
    assert {**after, "history": None} == {**before, "history": None}
    statuses = [(r["status"], r["previousStatus"]) for r in after["history"]["nodes"]]
    assert statuses == [("RUNNING", "IDLE"), ("IDLE", None)]


async def test_history_does_not_bring_back_an_agent_that_was_signed_off(
    two: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    _, right = two
    await right.report("a", "RUNNING", datetime.now(UTC) + SLOW)
    await silence(right.database, 301)
    await right.sweep()
    await load(right.database, tmp_path, line("1", "IDLE", "2024-01-05T10:00:00Z"))
    assert (await right.state())["status"] == "OFFLINE"


async def test_an_agent_that_was_imported_is_signed_off_once_it_was_heard(
    two: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    _, right = two
    await load(right.database, tmp_path, line("1", "IDLE", "2024-01-05T10:00:00Z"))
    await right.report("a", "RUNNING")
    await silence(right.database, 301)
    await right.sweep()
    assert (await right.state())["status"] == "OFFLINE"


async def test_a_newer_imported_report_is_the_state(
    two: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    _, right = two
    await right.report("a", "RUNNING", datetime.now(UTC) - timedelta(minutes=2))
    newer = datetime.now(UTC) - timedelta(minutes=1)
    await load(right.database, tmp_path, line("1", "PAUSED", printed(newer)))
    await silence(right.database, 301)
    await right.sweep()
    state = await right.state()
    assert (state["status"], state["receivedAt"]) == ("PAUSED", None)


@pytest.mark.parametrize("seed", range(3))
async def test_reports_of_one_time_keep_the_order_of_the_file(
    two: tuple[Gateway, Gateway], tmp_path: Path, seed: int
) -> None:
    _, right = two
    statuses = ["STARTING", "RUNNING", "WAITING", "RUNNING", "ERROR", "IDLE"] * 5
    at = "2024-01-05T10:00:00Z"
    lines = [
        line(f"{seed}:{agent}:{n}", status, at, agent)
        for n, status in enumerate(statuses)
        for agent in ("a", "b")
    ]
    await load(right.database, tmp_path, *lines)
    again = await load(right.database, tmp_path, *lines[7:20], *lines)

    assert not again.changed
    for agent in ("a", "b"):
        query = (
            f'{{ agent(key: "{agent}") {{ status history(last: 100) {{ nodes {{ status }} }} }} }}'
        )
        state = (await right.ask(query))["agent"]
        assert state["status"] == "IDLE"
        assert [r["status"] for r in state["history"]["nodes"]] == statuses[::-1]
    async with right.database.read() as session:
        history = db.agents.AgentReport
        stored = await session.records(history, history.select().order_by(history.seq))
    assert [(r.agent_key, r.status) for r in stored] == [
        (agent, status) for status in statuses for agent in ("a", "b")
    ]
    former = dict.fromkeys(("a", "b"))
    for report in stored:
        assert report.previous_status == former[report.agent_key]
        former[report.agent_key] = report.status


async def test_reports_of_one_time_that_come_later_follow(
    two: tuple[Gateway, Gateway], tmp_path: Path
) -> None:
    _, right = two
    at = "2024-01-05T10:00:00Z"
    statuses = ["STARTING", "RUNNING", "WAITING", "ERROR", "IDLE"]
    for n, status in enumerate(statuses):
        await load(right.database, tmp_path, line(str(n), status, at))
    state = await right.state()
    assert state["status"] == "IDLE"
    assert [r["status"] for r in state["history"]["nodes"]] == statuses[::-1]
