"""Workers follow the tests that wait, of the dreams that they may work on."""

from typing import Any

import pytest

from db import Database
from db.ai_tests import AiTestStatus, claims, queue, writes
from db.ai_tests.queue import Claim
from db.users import Role
from graph.core.principal import Principal
from support.factories import claimed_test, make_dream, make_user
from support.principals import with_scopes
from support.subscriptions import Follow, Follower

WAITING = """subscription ($models: [String!]) {
  waitingAiTests(providers: ["openai"], models: $models) { kind tests { model status } }
}"""
OPERATORS = with_scopes("tests:work", "dreams:read")


async def enqueue(database: Database, dream: Any, model: str, provider: str = "openai") -> None:
    async with database.write() as session:
        pending = AiTestStatus.PENDING
        test = await writes.start(session, dream, None, pending, provider=provider, model=model)
        await queue.add(session, test)


async def shown(follower: Follower, last: str) -> list[str]:
    """The models of all tests that a worker was told of, up to one."""

    def models(messages: list[Any]) -> list[str]:
        return [test["model"] for message in messages for test in message["tests"]]

    return models(await follower.until(lambda messages: last in models(messages)))


async def test_tests_are_sent_when_they_begin_to_wait(database: Database, follow: Follow) -> None:
    follower = await follow(WAITING, {}, OPERATORS)
    assert await follower.number(1) == {"kind": "SNAPSHOT", "tests": []}
    dream, hidden = await make_dream(database), await make_dream(database, is_public=False)
    await enqueue(database, dream, "other", "anthropic")
    async with database.write() as session:
        await writes.start(session, dream, None, provider="openai", model="running")
        pending = AiTestStatus.PENDING
        await writes.start(session, dream, None, pending, provider="openai", model="outside")
    await enqueue(database, hidden, "a")
    await enqueue(database, dream, "b")

    assert await shown(follower, "b") == ["a", "b"]


async def test_a_test_given_back_is_sent_again(database: Database, follow: Follow) -> None:
    user = await make_user(database)
    claimed = await claimed_test(database, user.id, model="a")
    follower = await follow(WAITING, {"models": ["a"]}, OPERATORS)
    await follower.number(1)
    async with database.write() as session:
        claim_id = claimed.entry.claim_id
        assert claim_id
        dream = await writes.dream_of(session, claimed.test.id)
        held = Claim(claim_id, str(user.id))
        await claims.release(session, dream, claimed.test, held, "Overloaded.")

    assert (await follower.number(2))["tests"] == [{"model": "a", "status": "PENDING"}]


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"tests:work"})])
async def test_members_follow_their_own_dreams(
    database: Database, follow: Follow, scopes: frozenset[str]
) -> None:
    ada = await make_user(database)
    own = await make_dream(database, user_id=ada.id, is_public=False)
    other, hidden = await make_dream(database), await make_dream(database, is_public=False)
    follower = await follow(WAITING, {}, Principal(ada.id, Role.MEMBER, scopes=scopes))
    await follower.number(1)
    for name, dream in {"public": other, "hidden": hidden, "own": own}.items():
        await enqueue(database, dream, name)

    assert await shown(follower, "own") == ["own"]
