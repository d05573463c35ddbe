"""Agents: their present state, their history, and what it adds up to."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types.node import global_id
from support.factories import START, make_agent, make_agent_report
from support.principals import with_scopes
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[OperationResult]]

KEY = with_scopes("agents:read")
MEMBER = Principal(role=Role.MEMBER)


async def report(database: Database, key: str, second: int, status: str, before: str | None) -> Any:
    at = START + timedelta(seconds=second)
    changed = {"status": status, "previous_status": before, "reported_at": at}
    return await make_agent_report(database, agent_key=key, **changed)


async def test_an_agent_is_found_by_its_key(database: Database, data: Data) -> None:
    agent = await make_agent(
        database,
        agent_key="builder",
        status="ERROR",
        created_at=START,
        updated_at=START,
        last_active=START,
        current_task={"dream": 7},
        performance_metrics={"cpu": 0.5},
        error_log=[
            {"at": "2026-01-15T11:00:00.000000Z", "error": "out of memory"},
            {"at": "2026-01-15T12:00:00.000000Z", "error": "out of time"},
        ],
    )
    document = """{
        agent(key: "builder") {
            id key status lastActive isStale currentTask performanceMetrics errors { at message }
            createdAt updatedAt
        }
        nobody: agent(key: "nobody") { id }
    }"""
    with statements(database, exactly=2):
        answer = await data(document)

    assert answer == {
        "agent": {
            "id": global_id(agent),
            "key": "builder",
            "status": "ERROR",
            "lastActive": "2026-01-15T12:00:00.000000Z",
            "isStale": True,
            "currentTask": {"dream": 7},
            "performanceMetrics": {"cpu": 0.5},
            "errors": [
                {"at": "2026-01-15T11:00:00.000000Z", "message": "out of memory"},
                {"at": "2026-01-15T12:00:00.000000Z", "message": "out of time"},
            ],
            "createdAt": "2026-01-15T12:00:00.000000Z",
            "updatedAt": "2026-01-15T12:00:00.000000Z",
        },
        "nobody": None,
    }


async def test_an_agent_is_stale_when_its_last_report_is_too_old(
    database: Database, data: Data
) -> None:
    now = datetime.now(UTC)
    await make_agent(database, agent_key="late", last_active=now - timedelta(seconds=61))
    await make_agent(database, agent_key="early", last_active=now + timedelta(hours=1))

    answer = await data("{ agents(orderBy: [{field: KEY}]) { nodes { key isStale } } }")

    assert answer["agents"]["nodes"] == [
        {"key": "early", "isStale": False},
        {"key": "late", "isStale": True},
    ]


@pytest.mark.parametrize("agents", [1, 5])
async def test_a_fleet_with_its_history_is_at_most_three_statements(
    database: Database, data: Data, agents: int
) -> None:
    for agent in range(agents):
        await make_agent(database, agent_key=f"a{agent}")
        for second, status in enumerate(("STARTING", "RUNNING", "IDLE")):
            await report(database, f"a{agent}", second, status, None)
    document = """{
        agents(orderBy: [{field: KEY}]) {
            nodes { key history(first: 2) { nodes { status agent { key } } } }
        }
    }"""
    with statements(database, at_most=3):
        answer = await data(document)

    assert answer["agents"]["nodes"] == [
        {
            "key": f"a{agent}",
            "history": {
                "nodes": [
                    {"status": "IDLE", "agent": {"key": f"a{agent}"}},
                    {"status": "RUNNING", "agent": {"key": f"a{agent}"}},
                ]
            },
        }
        for agent in range(agents)
    ]


async def test_agents_are_filtered_and_ordered(database: Database, data: Data) -> None:
    for key, status, second in (("a", "RUNNING", 1), ("b", "RUNNING", 3), ("c", "IDLE", 4)):
        at = START + timedelta(seconds=second)
        await make_agent(database, agent_key=key, status=status, last_active=at)
    document = """query ($before: DateTime!) {
        agents(
            filter: {status: {eq: RUNNING}, lastActive: {lt: $before}}
            orderBy: [{field: LAST_ACTIVE, direction: DESC}]
        ) { totalCount nodes { key } }
        named: agents(filter: {key: {startsWith: "C"}}) { nodes { key } }
    }"""
    with statements(database, exactly=3):
        answer = await data(document, {"before": "2026-01-15T12:00:04Z"})

    assert answer == {
        "agents": {"totalCount": 2, "nodes": [{"key": "b"}, {"key": "a"}]},
        "named": {"nodes": [{"key": "c"}]},
    }


async def test_reports_are_nodes_newest_first(database: Database, data: Data) -> None:
    first = await report(database, "gone", 1, "STARTING", None)
    second = await make_agent_report(
        database,
        agent_key="gone",
        status="ERROR",
        previous_status="STARTING",
        error="no disk",
        current_task={"step": 2},
        performance_metrics={"steps": 1},
        reported_at=START + timedelta(seconds=2),
    )
    document = """query ($id: ID!, $from: DateTime!) {
        agentHistory(filter: {agentKey: {eq: "gone"}}) {
            nodes {
                id seq agentKey status previousStatus currentTask performanceMetrics error
                reportedAt agent { key }
            }
        }
        later: agentHistory(filter: {reportedAt: {gt: $from}}) { nodes { id } }
        node(id: $id) { ... on AgentReport { status } }
    }"""
    with statements(database, at_most=4):
        answer = await data(document, {"id": global_id(first), "from": "2026-01-15T12:00:01Z"})

    assert answer == {
        "agentHistory": {
            "nodes": [
                {
                    "id": global_id(second),
                    "seq": "2",
                    "agentKey": "gone",
                    "status": "ERROR",
                    "previousStatus": "STARTING",
                    "currentTask": {"step": 2},
                    "performanceMetrics": {"steps": 1},
                    "error": "no disk",
                    "reportedAt": "2026-01-15T12:00:02.000000Z",
                    "agent": None,
                },
                {
                    "id": global_id(first),
                    "seq": "1",
                    "agentKey": "gone",
                    "status": "STARTING",
                    "previousStatus": None,
                    "currentTask": None,
                    "performanceMetrics": {},
                    "error": None,
                    "reportedAt": "2026-01-15T12:00:01.000000Z",
                    "agent": None,
                },
            ]
        },
        "later": {"nodes": [{"id": global_id(second)}]},
        "node": {"status": "STARTING"},
    }


async def test_agents_are_counted_in_every_status(database: Database, data: Data) -> None:
    for status in ("OFFLINE", "RUNNING", "RUNNING"):
        await make_agent(database, status=status)
    with statements(database, exactly=1):
        answer = await data("{ agentsByStatus { status count } }")

    assert answer["agentsByStatus"] == [
        {"status": "IDLE", "count": 0},
        {"status": "STARTING", "count": 0},
        {"status": "RUNNING", "count": 2},
        {"status": "WAITING", "count": 0},
        {"status": "PAUSED", "count": 0},
        {"status": "ERROR", "count": 0},
        {"status": "OFFLINE", "count": 1},
    ]


ACTIVITY = """query ($from: DateTime, $to: DateTime) {
    agentActivity(from: $from, to: $to) { rows { agentKey status changes averageSeconds } }
}"""


async def test_activity_is_changes_and_time_until_the_next_report(
    database: Database, data: Data
) -> None:
    """Beyond the span only the report that ends the last one of each agent counts."""
    await report(database, "a", -5, "STARTING", None)
    await report(database, "a", 0, "RUNNING", "STARTING")
    await report(database, "a", 10, "RUNNING", "RUNNING")
    await report(database, "a", 14, "IDLE", "RUNNING")
    await report(database, "a", 15, "RUNNING", "IDLE")
    await report(database, "a", 40, "ERROR", "RUNNING")
    await report(database, "b", 1, "IDLE", None)
    times = {"from": "2026-01-15T12:00:00Z", "to": "2026-01-15T12:00:30Z"}
    with statements(database, exactly=1):
        answer = await data(ACTIVITY, times)

    assert answer["agentActivity"]["rows"] == [
        {"agentKey": "a", "status": "IDLE", "changes": 1, "averageSeconds": 1.0},
        {"agentKey": "a", "status": "RUNNING", "changes": 2, "averageSeconds": 13.0},
        {"agentKey": "b", "status": "IDLE", "changes": 1, "averageSeconds": None},
    ]


async def test_pages_of_activity_are_those_of_the_whole(database: Database, data: Data) -> None:
    for agent in "abc":
        for second, status in enumerate(("IDLE", "RUNNING", "WAITING", "IDLE")):
            await report(database, agent, second * (ord(agent) - 90), status, "ERROR")
    times = 'from: "2026-01-15T12:00:00Z", to: "2026-01-15T12:01:00Z"'
    document = """{{ agentActivity({}, first: {}, skip: {}) {{
        rows {{ agentKey status changes averageSeconds }} }} }}"""
    whole = (await data(document.format(times, 1_000, 0)))["agentActivity"]["rows"]
    pages = [
        (await data(document.format(times, 2, skip)))["agentActivity"]["rows"]
        for skip in range(0, 10, 2)
    ]
    assert len(whole) == 9
    assert [row for page in pages for row in page] == whole


async def test_activity_is_that_of_the_last_day_by_default(database: Database, data: Data) -> None:
    now = datetime.now(UTC)
    for hours in (25, 2, 1):
        at = now - timedelta(hours=hours)
        await make_agent_report(database, agent_key="a", previous_status=None, reported_at=at)

    assert (await data(ACTIVITY))["agentActivity"]["rows"] == [
        {"agentKey": "a", "status": "RUNNING", "changes": 2, "averageSeconds": 3600.0}
    ]


@pytest.mark.parametrize(
    ("who", "code"), [(KEY, None), (MEMBER, "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")]
)
async def test_agents_are_for_operators_and_keys_with_the_scope(
    run: Run, who: Principal, code: str | None
) -> None:
    answer = await run("{ agents { nodes { key } } }", who=who)

    assert [error["extensions"]["code"] for error in answer.errors] == ([code] if code else [])
