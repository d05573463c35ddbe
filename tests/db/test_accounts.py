"""The deletion of a user, seen by subscribers of the feed of changes."""

from typing import Any

import pytest
from sqlalchemy import select

from db import Database, accounts
from db.audit import Change
from db.core.feed import FeedState
from support.factories import make_ai_test, make_user
from support.feeds import number_changes


async def epoch(database: Database) -> Any:
    async with database.read() as session:
        return await session.scalar(select(FeedState.epoch).where(FeedState.name == "changes"))


async def delete(database: Database, user: Any) -> list[Any]:
    """Deletes a user; returns the changes of tests."""
    async with database.write() as session:
        await accounts.remove(session, user, set())
    await number_changes(database)
    async with database.read() as session:
        of_tests = Change.select().where(Change.noun == "ai_tests")
        return await session.records(Change, of_tests.order_by(Change.seq))


async def test_every_changed_test_is_in_the_feed(database: Database) -> None:
    user, before = await make_user(database), await epoch(database)
    tests = [await make_ai_test(database, user_id=user.id) for _ in range(3)]
    await make_ai_test(database)

    changes = await delete(database, user)

    assert [(change.entity_id, change.parent_id) for change in changes] == [
        (test.id, test.dream_id) for test in tests
    ]
    assert await epoch(database) == before


async def test_subscribers_are_reset_after_very_many_changes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "MAX_CHANGES", 2)
    user, before = await make_user(database), await epoch(database)
    for _ in range(3):
        await make_ai_test(database, user_id=user.id)

    assert await delete(database, user) == []
    assert await epoch(database) != before
