"""The notifications of the viewer, followed; and the figures of the database."""

from typing import Any

import pytest

import db
from db import Database
from db.users import Role
from graph.core.principal import ANONYMOUS, Principal
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.core.types.node import global_id
from graph.usage import Load
from support.factories import make_notification, make_user
from support.principals import signed_in
from support.query_count import statements
from support.subscriptions import Follow, Refused, level

NOTIFICATIONS = """subscription ($after: String) {
  notifications(after: $after) { kind cursor notifications { id title readAt } }
}"""
USAGE = """subscription { usage {
  at connections activeConnections idleConnections maxConnections cacheHitRatio databaseBytes
} }"""


async def send(database: Database, user: Any, title: str) -> Any:
    async with database.write() as session:
        return await db.notifications.send(session, user.id, kind="K", title=title)


async def read(database: Database, user: Any, id: Any) -> None:
    async with database.write() as session:
        await db.notifications.mark_read(session, user.id, id)


def titles(message: Any) -> list[str]:
    return [notification["title"] for notification in message["notifications"]]


async def test_a_snapshot_has_unread_notifications_and_updates_new_ones(
    database: Database, follow: Follow
) -> None:
    ada, bob = await make_user(database), await make_user(database)
    for title in ("first", "second"):
        await make_notification(database, user_id=ada.id, title=title)
    old = await make_notification(database, user_id=ada.id, title="old")
    await read(database, ada, old.id)
    follower = await follow(NOTIFICATIONS, who=signed_in(ada))
    first = await follower.number(1)
    assert (first["kind"], titles(first)) == ("SNAPSHOT", ["second", "first"])

    await send(database, bob, "not yours")
    third = await send(database, ada, "third")
    assert titles(await follower.number(2)) == ["third"]
    await read(database, ada, third.id)
    (notification,) = (await follower.number(3))["notifications"]
    assert (notification["id"], bool(notification["readAt"])) == (global_id(third), True)

    again = await follow(NOTIFICATIONS, {"after": first["cursor"]}, signed_in(ada))
    assert titles(await again.number(1)) == ["third"]


async def test_at_most_a_hundred_are_in_a_snapshot(database: Database, follow: Follow) -> None:
    ada = await make_user(database)
    async with database.write() as session:
        for number in range(101):
            await make_notification(session, user_id=ada.id, title=str(number))
    follower = await follow(NOTIFICATIONS, who=signed_in(ada))
    assert titles(await follower.number(1)) == [str(number) for number in range(100, 0, -1)]


async def test_a_notification_costs_others_nothing(database: Database, follow: Follow) -> None:
    users = [await make_user(database) for _ in range(10)]
    followers = [await follow(NOTIFICATIONS, who=signed_in(user)) for user in users]
    for follower in followers:
        await follower.number(1)
    await send(database, users[0], "one")
    await followers[0].number(2)
    async with database.write() as session:
        await make_notification(session, user_id=users[1].id)
    with statements(database, exactly=2 + 1):
        await send(database, users[3], "two")
        await followers[3].number(2)
    assert [len(follower.messages) for follower in followers] == [2, 1, 1, 2, *[1] * 6]


async def test_a_principal_without_user_has_none(
    database: Database, live: SubscriptionBroker, follow: Follow
) -> None:
    operator = await follow(NOTIFICATIONS, who=Principal(role=Role.OPERATOR))
    user = await make_user(database)
    member_ = await follow(NOTIFICATIONS, who=signed_in(user))
    for follower in (operator, member_):
        await follower.number(1)
    await send(database, user, "one")
    await member_.number(2)
    await level(live, "changes")
    assert [titles(message) for message in operator.messages] == [[]]


async def test_anonymous_clients_are_refused(follow: Follow) -> None:
    with pytest.raises(Refused) as refused:
        await follow(NOTIFICATIONS, who=ANONYMOUS)
    assert refused.value.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_usage_equals_the_figures_of_postgresql(
    database: Database, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Load, "seconds", 0.05)
    operator = Principal(user_id=(await make_user(database)).id, role=Role.OPERATOR)
    followers = [await follow(USAGE, who=who) for who in (operator, Principal(role=Role.ADMIN))]
    for follower in followers:
        await follower.number(2)
    message = followers[0].messages[1]
    assert message["maxConnections"] >= message["connections"] >= message["activeConnections"] >= 1
    assert int(message["databaseBytes"]) > 1_000_000
    assert 0 <= message["cacheHitRatio"] <= 1


async def test_usage_is_for_operators(database: Database, follow: Follow) -> None:
    user = await make_user(database)
    with pytest.raises(Refused) as refused:
        await follow(USAGE, who=signed_in(user))
    assert refused.value.errors[0]["extensions"]["code"] == "FORBIDDEN"
