"""Imported reports of agents beside those that agents send: status, history and order."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

import db
from db import Database
from db.importer import Report, import_files
from support.agent_gateways import EVENTS, SLOW, Gateway, printed, silence


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
    activity = await right.activity('from: "2024-01-01T00:00:00Z", to: "2024-02-01T00:00:00Z"')
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
