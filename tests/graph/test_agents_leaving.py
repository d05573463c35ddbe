"""Agents that fall silent or are forgotten, followed; and what many dashboards cost."""

from datetime import UTC, datetime, timedelta
from typing import Any

from db import Database
from db.agents import reports
from db.config import numbers
from db.core.ingest.writer import Ingestion
from graph.core.subscriptions.broker import SubscriptionBroker
from support.factories import make_agent, make_config_entry
from support.query_count import statements
from support.subscriptions import Follow, Follower, level
from support.wait import until

STATUS = """subscription ($keys: [String!]) { agentStatus(keys: $keys) {
  kind removedKeys agents { key status isStale }
} }"""
HISTORY = "subscription { agentHistory { reports { agentKey status previousStatus } } }"


async def report(database: Database, *keys: str, status: str = "RUNNING") -> None:
    given = {"status": status, "current_task": None, "error": None}
    now = datetime.now(UTC)
    items = [reports.report({"agent_key": key, **given}, now, None) for key in keys]
    assert not await Ingestion(database).submit(reports.REPORTED, items)


async def forget(database: Database, key: str) -> None:
    async with database.write() as session:
        await reports.forget(session, key)


async def test_an_agent_falls_silent_and_is_offline(database: Database, follow: Follow) -> None:
    for key, seconds in ((numbers.STALE_AFTER, 2), (numbers.OFFLINE_AFTER, 4)):
        await make_config_entry(database, key=key, value=seconds)
    follower = await follow(STATUS)
    await follower.number(1)
    await report(database, "a")
    await follower.number(3)
    await until(lambda: reports.mark_offline(database))
    await follower.number(4)

    received = [(agent["status"], agent["isStale"]) for agent in agents(follower)]
    assert received == [("RUNNING", False), ("RUNNING", True), ("OFFLINE", True)]


def agents(follower: Follower) -> list[Any]:
    return [agent for message in follower.messages for agent in message["agents"]]


async def test_a_forgotten_agent_is_removed(database: Database, follow: Follow) -> None:
    await report(database, "a", "b", status="IDLE")
    all_, history = await follow(STATUS), await follow(HISTORY)
    one, other = await follow(STATUS, {"keys": ["a"]}), await follow(STATUS, {"keys": ["b"]})
    for follower in (all_, one, other, history):
        await follower.number(1)
    await forget(database, "a")
    await report(database, "b")

    gone = {"kind": "UPDATE", "removedKeys": ["a"], "agents": []}
    assert await one.number(2) == gone
    messages = await all_.until(lambda messages: "RUNNING" in str(messages))
    assert [key for message in messages for key in message["removedKeys"]] == ["a"]
    assert (await other.number(2))["removedKeys"] == []
    await history.until(lambda messages: "RUNNING" in str(messages))
    first = next(report for message in history.messages for report in message["reports"])
    assert first == {"agentKey": "a", "status": "OFFLINE", "previousStatus": "IDLE"}


async def test_an_agent_that_returns_is_sent_again(database: Database, follow: Follow) -> None:
    await report(database, "a")
    follower = await follow(STATUS)
    await follower.number(1)
    await forget(database, "a")
    await follower.number(2)
    await report(database, "a", status="STARTING")
    assert (await follower.number(3))["agents"] == [
        {"key": "a", "status": "STARTING", "isStale": False}
    ]


async def test_many_dashboards_read_together(
    database: Database, live: SubscriptionBroker, follow: Follow
) -> None:
    """Each of them another agent, and all of those report at once."""
    keys = [f"agent-{number}" for number in range(100)]
    before = datetime.now(UTC) - timedelta(seconds=1)
    for key in keys:
        await make_agent(database, agent_key=key, last_active=before)
    followers = [await follow(STATUS, {"keys": [key]}) for key in keys]
    for follower in followers:
        await follower.number(1)
    await level(live, "agents")
    with statements(database) as sent:
        await report(database, *keys)
        received = [await follower.number(2) for follower in followers]

    assert [message["agents"][0]["key"] for message in received] == keys
    by_key = [each for each in sent if each.endswith("ORDER BY agent_states.agent_key")]
    assert 0 < len(by_key) < 10  # of groups that are ready together, and not one of each
    stale = [each for each in sent if "FROM system_config" in each]
    assert len(stale) < 20  # read as messages are made
