"""Settings and feature flags as they change, followed."""

from typing import Any

import pytest

import db
from db import Database
from db.users import Role
from graph.core.principal import Principal
from graph.core.types.node import global_id
from support.factories import make_config_entry, make_feature_flag, make_user
from support.principals import with_scopes
from support.subscriptions import Follow, Refused

CONFIG = """subscription ($keys: [String!], $categories: [String!], $after: String) {
  configChanges(keys: $keys, categories: $categories, after: $after) {
    kind cursor entries { key value } removedIds
  }
}"""
FLAGS = """subscription ($after: String) {
  featureFlags(after: $after) { kind cursor flags { key enabled } removedIds }
}"""
READER = with_scopes("config:read")


async def put(database: Database, key: str, value: Any, **more: Any) -> Any:
    async with database.write() as session:
        before = await db.config.writes.before(session, key, None)
        return await db.config.writes.put(session, key, before, value=value, **more)


async def remove(database: Database, key: str) -> None:
    async with database.write() as session:
        await db.config.writes.remove(session, key, None)


def received(message: Any) -> Any:
    return {name: value for name, value in message.items() if name != "cursor"}


def update(*pairs: tuple[str, Any], removed: tuple[str, ...] = (), kind: str = "UPDATE") -> Any:
    entries = [{"key": key, "value": value} for key, value in pairs]
    return {"kind": kind, "entries": entries, "removedIds": list(removed)}


async def test_settings_are_sent_as_a_snapshot_and_updates(
    database: Database, follow: Follow
) -> None:
    await make_config_entry(database, key="b", value=1)
    gone = await make_config_entry(database, key="a", value=2)
    follower = await follow(CONFIG, who=READER)
    assert received(await follower.number(1)) == update(("a", 2), ("b", 1), kind="SNAPSHOT")

    await put(database, "b", 3)
    assert received(await follower.number(2)) == update(("b", 3))
    await remove(database, "a")
    assert received(await follower.number(3)) == update(removed=(global_id(gone),))


async def test_only_some_keys(database: Database, follow: Follow) -> None:
    for key in ("a", "b"):
        await make_config_entry(database, key=key, value=1)
    follower = await follow(CONFIG, {"keys": ["b", "c"]})
    assert received(await follower.number(1)) == update(("b", 1), kind="SNAPSHOT")
    await put(database, "a", 2)
    await remove(database, "a")
    await put(database, "c", 2)
    assert received(await follower.number(2)) == update(("c", 2))


async def test_an_entry_that_leaves_its_category_is_sent_as_removed(
    database: Database, follow: Follow
) -> None:
    entry = await make_config_entry(database, key="a", value=1, category="limits")
    await make_config_entry(database, key="b", value=1, category=None)
    follower = await follow(CONFIG, {"keys": ["a", "b"], "categories": ["limits"]})
    assert received(await follower.number(1)) == update(("a", 1), kind="SNAPSHOT")
    await put(database, "b", 2)
    await put(database, "a", 2, category="others")
    assert received(await follower.number(2)) == update(removed=(global_id(entry),))
    await put(database, "a", 3)
    await put(database, "b", 3, category="limits")
    assert received(await follower.number(3)) == update(("b", 3))


async def test_a_cursor_resumes_after_its_message(database: Database, follow: Follow) -> None:
    gone = await make_config_entry(database, key="gone")
    follower = await follow(CONFIG)
    cursor = (await follower.number(1))["cursor"]
    for value in (1, 2, 3):
        await put(database, "a", value)
    await remove(database, "gone")
    await follower.until(lambda messages: global_id(gone) in str(messages))

    again = await follow(CONFIG, {"after": cursor})
    assert received(await again.number(1)) == update(("a", 3), removed=(global_id(gone),))


async def test_flags(database: Database, follow: Follow) -> None:
    await make_feature_flag(database, key="old", enabled=True)
    follower = await follow(FLAGS, who=READER)
    first = await follower.number(1)
    assert received(first) == {
        "kind": "SNAPSHOT",
        "flags": [{"key": "old", "enabled": True}],
        "removedIds": [],
    }
    async with database.write() as session:
        flag = await db.config.writes.put_flag(session, "new", enabled=False)
    assert (await follower.number(2))["flags"] == [{"key": "new", "enabled": False}]
    async with database.write() as session:
        await db.audit.remove(session, db.config.FeatureFlag, flag)
    assert received(await follower.number(3)) == {
        "kind": "UPDATE",
        "flags": [],
        "removedIds": [global_id(flag)],
    }
    again = await follow(FLAGS, {"after": first["cursor"]})
    assert (await again.number(1))["removedIds"] == [global_id(flag)]


async def test_the_last_editor_of_a_setting_is_reloaded(database: Database, follow: Follow) -> None:
    user = await make_user(database, passport_tier="visitor")
    text = "subscription { configChanges { entries { updatedBy { passportTier } } } }"
    await make_config_entry(database, key="a", updated_by=user.id)
    follower = await follow(text)
    assert (await follower.number(1))["entries"] == [{"updatedBy": {"passportTier": "visitor"}}]
    async with database.write() as session:
        await db.audit.change(session, db.users.User, user, passport_tier="dreamer")
        entry = await db.config.writes.before(session, "a", None)
        await db.audit.change(session, db.config.ConfigEntry, entry, value=2)
    assert (await follower.number(2))["entries"] == [{"updatedBy": {"passportTier": "dreamer"}}]


@pytest.mark.parametrize("text", [CONFIG, FLAGS])
async def test_members_are_refused(database: Database, follow: Follow, text: str) -> None:
    user = await make_user(database)
    with pytest.raises(Refused) as refused:
        await follow(text, who=Principal(user_id=user.id, role=Role.MEMBER))
    assert refused.value.errors[0]["extensions"]["code"] == "FORBIDDEN"
