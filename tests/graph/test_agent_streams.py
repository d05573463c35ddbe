"""Agents as they change, followed."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import db
from db import Database
from db.core.feed import Position
from db.core.ingest.writer import Ingestion
from graph.agents.streams import Numbers
from graph.core.context import Context
from graph.core.execution.operation import prepare
from graph.core.principal import DEVELOPER
from graph.core.subscriptions.broker import Subscription, SubscriptionBroker
from graph.core.subscriptions.sink import Message
from graph.schema import schema
from support.factories import make_agent
from support.principals import with_scopes
from support.subscriptions import Follow, Follower, following
from support.wait import until

STATUS = """subscription ($keys: [String!], $statuses: [AgentStatus!], $after: String) {
  agentStatus(keys: $keys, statuses: $statuses, after: $after) {
    kind cursor reason skipped removedKeys agents { key status isStale }
  }
}"""


@pytest.fixture
def live(database: Database) -> SubscriptionBroker:
    return SubscriptionBroker(database)


@pytest.fixture
async def follow(live: SubscriptionBroker) -> AsyncIterator[Follow]:
    async with following(live) as follow:
        yield follow


async def report(database: Database, key: str, status: str, at: datetime | None = None) -> None:
    """As an agent does it."""
    row = {"agent_key": key, "status": status, "current_task": None, "error": None}
    item = db.agents.reports.report(row, at or datetime.now(UTC), None)
    assert not await Ingestion(database).submit(db.agents.reports.REPORTED, [item])


def received(message: Any) -> Any:
    """A message without what differs each time."""
    return {name: value for name, value in message.items() if name != "cursor"}


def agent(key: str, status: str, stale: bool = False) -> dict[str, Any]:
    return {"key": key, "status": status, "isStale": stale}


def update(*agents: dict[str, Any], **more: Any) -> dict[str, Any]:
    fixed = {"kind": "UPDATE", "reason": None, "skipped": 0, "removedKeys": []}
    return {**fixed, "agents": list(agents), **more}


async def test_a_subscription_sends_a_snapshot_then_updates(
    database: Database, follow: Follow
) -> None:
    await report(database, "a1", "IDLE")
    await report(database, "a2", "IDLE")

    follower = await follow(STATUS)
    assert received(await follower.number(1)) == update(
        agent("a1", "IDLE"), agent("a2", "IDLE"), kind="SNAPSHOT"
    )
    await report(database, "a2", "RUNNING")
    assert received(await follower.number(2)) == update(agent("a2", "RUNNING"))


async def test_resuming_between_a_reset_and_its_snapshot_sends_both_again(
    database: Database, follow: Follow
) -> None:
    await report(database, "a1", "IDLE")
    cursor = str(Position("agents", epoch=1, seq=2, check=3))
    for _ in range(2):
        follower = await follow(STATUS, after=cursor)
        reset = await follower.number(1)
        assert (reset["kind"], reset["reason"]) == ("RESET", "EPOCH")
        assert received(await follower.number(2)) == update(agent("a1", "IDLE"), kind="SNAPSHOT")
        cursor = reset["cursor"]


async def test_a_cursor_resumes_at_its_position(database: Database, follow: Follow) -> None:
    await report(database, "a1", "IDLE")
    first = await follow(STATUS)
    snapshot = await first.number(1)
    await report(database, "a1", "RUNNING")
    await report(database, "a2", "ERROR")
    await first.until(lambda messages: any("a2" in str(m["agents"]) for m in messages))

    again = await follow(STATUS, {"after": snapshot["cursor"]})
    assert received(await again.number(1)) == update(agent("a1", "RUNNING"), agent("a2", "ERROR"))


async def test_an_agent_that_leaves_the_statuses_is_sent_once_more(
    database: Database, follow: Follow
) -> None:
    await report(database, "a1", "RUNNING")
    await report(database, "a2", "IDLE")

    follower = await follow(STATUS, {"statuses": ["RUNNING"]})
    assert received(await follower.number(1)) == update(agent("a1", "RUNNING"), kind="SNAPSHOT")
    await report(database, "a2", "ERROR")
    await report(database, "a1", "IDLE")
    assert received(await follower.number(2)) == update(agent("a1", "IDLE"))


async def test_a_slow_reader_receives_the_last_state_and_the_skipped_count(
    database: Database, follow: Follow
) -> None:
    slow, quick = await follow(STATUS), await follow(STATUS)
    await slow.number(1)
    slow.ready = False
    for status in ("IDLE", "STARTING", "RUNNING", "WAITING"):
        await report(database, "a1", status)
        await quick.until(lambda messages, s=status: s in str(messages))
    slow.ready = True

    assert received(await slow.number(2)) == update(agent("a1", "WAITING"), skipped=3)


async def test_equal_subscriptions_share_their_bytes(database: Database, follow: Follow) -> None:
    followers = [await follow(STATUS) for _ in range(3)]
    for follower in followers:
        await follower.number(1)
    await report(database, "a1", "IDLE")
    for follower in followers:
        await follower.number(2)

    assert len({id(follower.payloads[1]) for follower in followers}) == 1


async def test_joining_while_the_last_subscriber_leaves_receives_changes(
    database: Database, live: SubscriptionBroker
) -> None:
    """At the very moment at which the feed is no longer followed. A change comes as an update, or
    with a second snapshot if the feed was followed anew after the first."""
    reader = live.feeds["agents"]
    async with live.running():
        for status in ("IDLE", "RUNNING", "WAITING"):
            follower = Follower()
            context = Context(database, DEVELOPER, "test-request")
            opened = await live.open(prepare(schema, STATUS), None, context, follower)
            assert isinstance(opened, Subscription)
            await follower.number(1)
            await report(database, "a1", status)
            second = await follower.number(2)
            assert second["kind"] in ("UPDATE", "SNAPSHOT")
            assert received(second) == update(agent("a1", status), kind=second["kind"])
            opened.close()
            await until(lambda: not reader.is_followed)


async def test_a_forgotten_agent_is_not_skipped(database: Database, follow: Follow) -> None:
    await report(database, "a1", "IDLE")
    follower = await follow(STATUS)
    await follower.number(1)
    async with database.write() as session:
        await db.agents.reports.forget(session, "a1")
    assert received(await follower.number(2)) == update(removedKeys=["a1"])


class Broken(Follower):
    """An outlet with a fault of its own."""

    def send(self, message: Message) -> None:
        raise RuntimeError(f"a fault of ours at {message.cursor}")


async def test_an_internal_error_ends_a_subscription_and_is_masked(
    database: Database, live: SubscriptionBroker
) -> None:
    broken = Broken()
    async with live.running():
        context = Context(database, DEVELOPER, "test-request")
        assert isinstance(
            await live.open(prepare(schema, STATUS), None, context, broken), Subscription
        )
        await broken.arrived.wait()

    [error] = broken.errors or []
    assert error["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert "fault" not in error["message"]


async def test_silence_sends_an_update_without_a_report(database: Database, follow: Follow) -> None:
    almost = datetime.now(UTC) - timedelta(seconds=58)
    await make_agent(database, agent_key="late", status="RUNNING", last_active=almost)

    follower = await follow(STATUS)
    assert received(await follower.number(1)) == update(agent("late", "RUNNING"), kind="SNAPSHOT")
    assert received(await follower.number(2)) == update(agent("late", "RUNNING", stale=True))


COUNTED = "subscription { agentsByStatus { stale counts { status count } } }"


async def test_numbers_of_agents_are_sent_when_they_change(
    database: Database, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Numbers, "seconds", 0.02)
    now = datetime.now(UTC)
    await make_agent(database, status="RUNNING", last_active=now)

    def numbers(message: Any) -> tuple[int, dict[str, int]]:
        counts = {each["status"]: each["count"] for each in message["counts"]}
        return message["stale"], {status: count for status, count in counts.items() if count}

    follower = await follow(COUNTED, who=with_scopes("agents:read"))
    first = await follower.number(1)
    await make_agent(database, status="ERROR", last_active=now - timedelta(days=1))
    second = await follower.number(2)

    assert numbers(first) == (0, {"RUNNING": 1})
    assert numbers(second) == (1, {"RUNNING": 1, "ERROR": 1})
