"""The tests of a dream and its progress, followed."""

from typing import Any

import pytest

import db
from db import Database
from db.ai_tests import AiTestStatus, writes
from graph.core.principal import ANONYMOUS
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.core.types.node import global_id
from support.factories import make_dream, make_progress_log, make_user
from support.principals import signed_in
from support.query_count import statements
from support.subscriptions import Follow, Follower, Refused, level

TESTS = """subscription ($id: ID!, $after: String) {
  aiTests(dreamId: $id, after: $after) { kind cursor tests { model status dream { title } } }
}"""
PROGRESS = """subscription ($id: ID!, $after: String) {
  dreamProgress(dreamId: $id, after: $after) { kind cursor logs { testCount bestScore } }
}"""
COUNT = "subscription ($id: ID!) { aiTests(dreamId: $id) { kind tests { model } } }"


async def start(database: Database, dream: Any, model: str) -> Any:
    async with database.write() as session:
        return await writes.start(session, dream, None, provider="openai", model=model)


async def record(database: Database, dream: Any, score: float, model: str = "gpt") -> Any:
    async with database.write() as session:
        completed = AiTestStatus.COMPLETED
        values = {"provider": "openai", "model": model, "impossibility_score": score}
        return await writes.record(session, dream, None, completed, **values)


async def end(database: Database, dream: Any, test: Any, score: float) -> None:
    async with database.write() as session:
        completed = AiTestStatus.COMPLETED
        await writes.end(session, dream, test, completed, impossibility_score=score)


async def change(database: Database, dream: Any, **values: Any) -> Any:
    async with database.write() as session:
        return await db.dreams.edit(session, dream, **values)


def shown(messages: list[Any], name: str, field: str) -> list[Any]:
    return [row[field] for message in messages for row in message[name]]


async def test_tests_are_sent_as_they_change(database: Database, follow: Follow) -> None:
    dream = await make_dream(database, title="Fly")
    follower = await follow(TESTS, {"id": global_id(dream)})
    first = await follower.number(1)
    assert (first["kind"], first["tests"]) == ("SNAPSHOT", [])
    test = await start(database, dream, "gpt")
    assert (await follower.number(2))["tests"] == [
        {"model": "gpt", "status": "RUNNING", "dream": {"title": "Fly"}}
    ]
    dream = await change(database, dream, title="Swim")
    await end(database, dream, test, 50)
    assert (await follower.number(3))["tests"] == [
        {"model": "gpt", "status": "COMPLETED", "dream": {"title": "Swim"}}
    ]


async def test_a_cursor_resumes_after_its_message(database: Database, follow: Follow) -> None:
    dream, other = await make_dream(database), await make_dream(database)
    follower = await follow(TESTS, {"id": global_id(dream)})
    cursor = (await follower.number(1))["cursor"]
    for name in ("a", "b"):
        await start(database, other, f"other-{name}")
        await start(database, dream, name)
    await follower.until(lambda messages: len(shown(messages, "tests", "model")) == 2)

    again = await follow(TESTS, {"id": global_id(dream), "after": cursor})
    messages = await again.until(lambda messages: len(shown(messages, "tests", "model")) == 2)
    assert shown(messages, "tests", "model") == ["a", "b"]


async def test_progress_begins_with_the_newest_log(database: Database, follow: Follow) -> None:
    dream = await make_dream(database)
    for count in (1, 2):
        await make_progress_log(database, dream_id=dream.id, test_count=count, best_score=80)
    follower = await follow(PROGRESS, {"id": global_id(dream)}, ANONYMOUS)
    first = await follower.number(1)
    assert (first["kind"], first["logs"]) == ("SNAPSHOT", [{"testCount": 2, "bestScore": 80.0}])

    await record(database, dream, 60)
    assert (await follower.number(2))["logs"] == [{"testCount": 1, "bestScore": 60.0}]


async def test_a_hidden_dream_sends_no_updates(
    database: Database, live: SubscriptionBroker, follow: Follow
) -> None:
    ada, bob = await make_user(database), await make_user(database)
    dream = await make_dream(database, user_id=ada.id)
    given = {"id": global_id(dream)}
    own, foreign = (
        await follow(COUNT, given, signed_in(ada)),
        await follow(COUNT, given, signed_in(bob)),
    )
    progress = await follow(PROGRESS, given, signed_in(bob))
    for follower in (own, foreign, progress):
        await follower.number(1)

    dream = await change(database, dream, is_public=False)
    await record(database, dream, 50, "unseen")
    await own.number(2)
    await level(live, "changes")
    dream = await change(database, dream, is_public=True)
    await record(database, dream, 40, "seen")
    for follower, name, field in ((foreign, "tests", "model"), (progress, "logs", "bestScore")):
        await updated(follower, name)
        assert shown(follower.messages, name, field) in (["seen"], [40.0])


async def updated(follower: Follower, name: str) -> None:
    await follower.until(lambda messages: any(message[name] for message in messages))


@pytest.mark.parametrize(("text", "who"), [(TESTS, "member"), (PROGRESS, "anonymous")])
async def test_a_dream_that_is_not_seen_is_refused(
    database: Database, follow: Follow, text: str, who: str
) -> None:
    ada, bob = await make_user(database), await make_user(database)
    dream = await make_dream(database, user_id=ada.id, is_public=False)
    viewer = signed_in(bob) if who == "member" else ANONYMOUS
    for id in (global_id(dream), f"dream_{'0' * 32}"):
        with pytest.raises(Refused) as refused:
            await follow(text, {"id": id}, viewer)
        assert refused.value.errors[0]["extensions"]["code"] == "NOT_FOUND"
    with pytest.raises(Refused) as refused:
        await follow(text, {"id": "nothing"}, viewer)
    assert refused.value.errors[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_tests_are_refused_to_anonymous_clients(database: Database, follow: Follow) -> None:
    dream = await make_dream(database)
    with pytest.raises(Refused) as refused:
        await follow(COUNT, {"id": global_id(dream)}, ANONYMOUS)
    assert refused.value.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"


async def test_a_test_costs_subscribers_of_other_dreams_nothing(
    database: Database, follow: Follow
) -> None:
    dreams = [await make_dream(database) for _ in range(20)]
    followers = [await follow(COUNT, {"id": global_id(dream)}) for dream in dreams]
    for follower in followers:
        await follower.number(1)
    async with database.write() as session:
        await writes.start(session, dreams[7], None, provider="openai", model="gpt")
    with statements(database, exactly=1):
        assert (await followers[7].number(2))["tests"] == [{"model": "gpt"}]
