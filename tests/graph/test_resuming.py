"""Cursors in a process that has not seen what they are behind: it is read from the table."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

import db
from db import Database
from db.ai_tests import writes
from db.users import Role
from graph.core.principal import DEVELOPER, Principal
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.core.subscriptions.updates import MAX_ROWS
from graph.core.types.node import global_id
from support.factories import make_agent, make_agent_report, make_dream, make_event, make_user
from support.query_count import statements
from support.subscriptions import following

Change = Callable[[Database, Any, int], Awaitable[Any]]


async def event(database: Database, _world: Any, number: int) -> None:
    await make_event(database, event_type=f"told {number}", severity="ERROR")


async def dream(database: Database, world: Any, number: int) -> None:
    async with database.write() as session:
        await db.dreams.create(session, world.user.id, title=f"told {number}", category="MATH")


async def tried(database: Database, world: Any, number: int) -> None:
    async with database.write() as session:
        model = f"told {number}"
        await writes.start(session, world.dream, None, provider="openai", model=model)


async def setting(database: Database, _world: Any, number: int) -> None:
    async with database.write() as session:
        await db.config.writes.put(
            session, f"told.{number}", None, value=f"told {number}", category="c"
        )


async def notification(database: Database, world: Any, number: int) -> None:
    async with database.write() as session:
        row = {"user_id": world.user.id, "kind": "K", "title": f"told {number}"}
        await db.audit.create(session, db.notifications.Notification, **row)


STREAMS: dict[str, tuple[Change, str]] = {
    "events": (
        event,
        "events(filter: {severity: {eq: ERROR}}, $after) { cursor events { eventType } }",
    ),
    "dreams": (dream, "dreams(filter: {category: {eq: MATH}}, $after) { cursor dreams { title } }"),
    "aiTests": (tried, 'aiTests(dreamId: "$dream", $after) { cursor tests { model } }'),
    "configChanges": (
        setting,
        'configChanges(categories: ["c"], $after) { cursor entries { value } }',
    ),
    "notifications": (notification, "notifications($after) { cursor notifications { title } }"),
}


class World:
    """A user, and a dream."""

    def __init__(self, user: Any, dream: Any) -> None:
        self.user, self.dream = user, dream


@pytest.mark.parametrize("name", STREAMS)
async def test_rows_stored_without_subscribers_are_sent_on_resume(
    database: Database, name: str
) -> None:
    user = await make_user(database)
    world = World(user, await make_dream(database, user_id=user.id))
    who = Principal(user_id=user.id, role=Role.ADMIN)
    change, field = STREAMS[name]
    field = field.replace("$dream", global_id(world.dream))

    async with following(SubscriptionBroker(database)) as follow:
        first = await (await follow(after(field, "null"), who=who)).number(1)
    for number in range(3):
        for other in (event, dream, tried, setting):
            if other is not change:
                await other(database, world, -1 - number)
        await make_event(database)
        await change(database, world, number)
    async with following(SubscriptionBroker(database)) as follow:
        follower = await follow(after(field, f'"{first["cursor"]}"'), who=who)
        messages = await follower.until(lambda messages: "told 2" in str(messages))

    received = [value for message in messages for value in values(message)]
    assert received == ["told 0", "told 1", "told 2"]


def after(field: str, cursor: str) -> str:
    return f"subscription {{ {field.replace('$after', f'after: {cursor}')} }}"


def values(message: dict[str, Any]) -> list[Any]:
    rows = next(value for value in message.values() if isinstance(value, list))
    return [value for row in rows for value in row.values()]


async def test_more_than_one_message_holds(database: Database) -> None:
    """Every event is told, and each message begins where the one before ended."""
    text = "subscription ($after: String) { events(after: $after) { cursor events { seq } } }"
    async with following(SubscriptionBroker(database)) as follow:
        first = await (await follow(text)).number(1)
    async with database.write() as session:
        stored = [str((await make_event(session)).seq) for _ in range(2 * MAX_ROWS + 1)]
    async with following(SubscriptionBroker(database)) as follow:
        follower = await follow(text, {"after": first["cursor"]})
        messages = await follower.until(lambda m: sum(len(u["events"]) for u in m) >= len(stored))

        assert [event["seq"] for message in messages for event in message["events"]] == stored
        assert [len(message["events"]) for message in messages] == [MAX_ROWS, MAX_ROWS, 1]
        again = await follow(text, {"after": messages[0]["cursor"]}, DEVELOPER)
        assert (await again.number(1))["events"][0]["seq"] == stored[MAX_ROWS]


async def test_heartbeats_tell_how_far_a_rare_filter_was_looked_for(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = """subscription ($after: String) {
        events(filter: {severity: {eq: ERROR}}, after: $after) { kind cursor events { eventType } }
    }"""
    async with following(SubscriptionBroker(database)) as follow:
        first = await (await follow(text)).number(1)
    async with database.write() as session:
        for _ in range(10):
            await make_event(session, severity="INFO")
        await make_event(session, severity="ERROR", event_type="found")
    monkeypatch.setattr("db.core.feed.reader.LOOK_ROWS", 2)
    monkeypatch.setattr("graph.core.subscriptions.group.HEARTBEAT_SECONDS", 0)
    async with following(SubscriptionBroker(database)) as follow:
        follower = await follow(text, {"after": first["cursor"]})
        messages = await follower.until(lambda messages: "found" in str(messages))
        before = [message for message in messages if message["kind"] == "HEARTBEAT"]
        assert len({message["cursor"] for message in before}) >= 4
        again = await follow(text, {"after": before[3]["cursor"]})
        [update] = [m for m in await again.until(lambda m: "found" in str(m)) if m["events"]]
        assert update["events"] == [{"eventType": "found"}]


async def test_many_come_back_at_once(database: Database) -> None:
    """As after a restart, to a process that has read nothing yet."""
    await make_agent(database, agent_key="a", last_active=datetime.now(UTC))
    text = "subscription { agentStatus { kind cursor agents { key isStale } } }"
    async with following(SubscriptionBroker(database)) as follow:
        cursor = (await (await follow(text)).number(1))["cursor"]
    await make_agent_report(database, agent_key="a")
    async with following(SubscriptionBroker(database)) as follow:
        with statements(database, at_most=20):
            back = [follow(text, after=cursor) for _ in range(500)]
            received = [await follower.number(1) for follower in await asyncio.gather(*back)]
    agents = [{"key": "a", "isStale": False}]
    assert {message["kind"] for message in received} == {"SNAPSHOT"}
    assert all(message["agents"] == agents for message in received)
