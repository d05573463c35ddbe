"""Claims of queued tests: one holder at a time, until the lease expires, and few attempts."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, func, select, update

from db import Database
from db.ai_tests import AiTest, AiTestStatus, claims, queue, writes
from db.ai_tests.claims import Claimed, Wanted
from db.ai_tests.queue import Claim, QueuedAiTest
from db.audit import Change
from db.core.errors import ClaimLost
from db.core.session.row_rules import Visibility
from db.dreams import Dream
from db.notifications import Notification
from support.factories import make_dream, make_user
from support.mutations import stored

MINUTE = timedelta(minutes=1)
DONE = {"impossibility_score": 40}


@pytest.fixture
async def dream(database: Database) -> Any:
    return await make_dream(database)


async def enqueue(database: Database, dream: Any, model: str = "gpt", **more: Any) -> AiTest:
    pending = AiTestStatus.PENDING
    async with database.write() as session:
        test = await writes.start(session, dream, None, pending, provider="openai", model=model)
        await queue.add(session, test, **more)
        return test


async def claim(
    database: Database, holder: str = "a", limit: int = 1, **more: Any
) -> list[Claimed]:
    async with database.write() as session:
        wanted = Wanted(holder, "openai", limit, MINUTE, **more)
        return await claims.claim(session, wanted)


async def end(
    database: Database, dream: Any, test: AiTest, claim: Claim | None, **values: Any
) -> AiTest:
    async with database.write() as session:
        [now] = await session.records(AiTest, AiTest.select().where(AiTest.id == test.id))
        return await writes.end(session, dream, now, AiTestStatus.COMPLETED, claim, **values)


async def release(database: Database, dream: Any, claimed: Claimed, reason: str | None) -> AiTest:
    async with database.write() as session:
        return await claims.release(session, dream, claimed.test, held(claimed), reason)


def held(claimed: Claimed, holder: str = "a") -> Claim:
    assert claimed.entry.claim_id
    return Claim(claimed.entry.claim_id, holder)


async def expire(database: Database) -> None:
    """Let the leases of all claims expire."""
    async with database.write() as session:
        await session.execute(
            update(QueuedAiTest)
            .where(QueuedAiTest.claim_id.is_not(None))
            .values(claimed_until=func.now() - MINUTE)
        )


async def make_available(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(QueuedAiTest).values(available_at=func.now()))


async def wait_of(database: Database) -> float:
    """Seconds until the only test may be claimed."""
    async with database.read() as session:
        wait = func.extract("epoch", QueuedAiTest.available_at - func.now())
        return float(await session.scalar(select(wait)))


async def states(database: Database) -> list[tuple[str, int | None]]:
    """The status and the attempts of each test."""
    entries = {entry.id: entry for entry in await stored(database, QueuedAiTest)}
    return [
        (test.status, entries[test.id].attempts if test.id in entries else None)
        for test in await stored(database, AiTest)
    ]


async def test_a_claimed_test_runs_until_its_holder_ends_it(database: Database, dream: Any) -> None:
    test = await enqueue(database, dream)
    assert await states(database) == [("PENDING", 0)]

    [claimed] = await claim(database)
    assert (claimed.test.id, claimed.test.status) == (test.id, "RUNNING")
    assert await states(database) == [("RUNNING", 1)]
    assert await claim(database, "b") == []

    ended = await end(database, dream, test, held(claimed), **DONE)
    assert (ended.status, ended.impossibility_score) == ("COMPLETED", 40)
    assert await states(database) == [("COMPLETED", None)]
    kinds = [change.kind for change in await stored(database, Change) if change.noun == "ai_tests"]
    assert kinds == ["CREATED", "UPDATED", "UPDATED"]


@pytest.mark.parametrize("wrong", ["none", "other claim", "other holder"])
async def test_only_the_holder_ends_a_test(database: Database, dream: Any, wrong: str) -> None:
    test = await enqueue(database, dream)
    [claimed] = await claim(database)
    claim_id = held(claimed).id
    claim_ = {
        "none": None,
        "other claim": Claim(uuid4(), "a"),
        "other holder": Claim(claim_id, "b"),
    }[wrong]

    with pytest.raises(ClaimLost):
        await end(database, dream, test, claim_, **DONE)
    assert await states(database) == [("RUNNING", 1)]


async def test_a_test_that_waits_cannot_be_ended_unclaimed(database: Database, dream: Any) -> None:
    test = await enqueue(database, dream)
    with pytest.raises(ClaimLost, match="claim it"):
        await end(database, dream, test, None)


async def test_a_test_outside_the_queue_has_no_claim(database: Database, dream: Any) -> None:
    async with database.write() as session:
        test = await writes.start(session, dream, None, provider="openai", model="gpt")
    with pytest.raises(ClaimLost):
        await end(database, dream, test, Claim(uuid4(), "a"))
    assert (await end(database, dream, test, None)).status == "COMPLETED"


async def test_what_waited_longest_is_claimed_first(database: Database, dream: Any) -> None:
    first = await enqueue(database, dream, "gpt")
    await enqueue(database, dream, "claude")
    last = await enqueue(database, dream, "gpt")

    found = await claim(database, limit=10, models=["gpt"])

    assert [each.test.id for each in found] == [first.id, last.id]


async def test_claimants_of_several_processes_share_the_tests(
    database: Database, dream: Any, others: list[Database]
) -> None:
    tests = [await enqueue(database, dream) for _ in range(40)]

    async def work(number: int, process: Database) -> list[UUID]:
        mine = []
        while found := await claim(process, str(number), limit=3):
            mine += [each.test.id for each in found]
        return mine

    shares = await asyncio.gather(*(work(*each) for each in enumerate(others)))

    claimed = [id for share in shares for id in share]
    assert sorted(claimed) == sorted(test.id for test in tests)


async def test_a_locked_test_is_skipped(database: Database, dream: Any) -> None:
    locked, free = await enqueue(database, dream), await enqueue(database, dream)
    async with database.write() as session:
        await session.rows(AiTest.select().where(AiTest.id == locked.id).with_for_update())
        [claimed] = await claim(database, limit=10)
    assert claimed.test.id == free.id


async def test_an_expired_claim_is_given_back(database: Database, dream: Any) -> None:
    test = await enqueue(database, dream)
    [first] = await claim(database)
    assert await claims.end_expired(database) == 0
    await expire(database)

    assert await claims.end_expired(database) == 1
    assert await states(database) == [("PENDING", 1)]
    assert await claim(database, "b") == []  # it waits before the next attempt
    await make_available(database)
    [second] = await claim(database, "b")
    with pytest.raises(ClaimLost):
        await end(database, dream, test, held(first), **DONE)
    assert (await end(database, dream, test, held(second, "b"), **DONE)).status == "COMPLETED"


async def test_an_extended_claim_does_not_expire(database: Database, dream: Any) -> None:
    await enqueue(database, dream)
    [claimed] = await claim(database)
    await expire(database)
    id, stranger = held(claimed).id, uuid4()

    async with database.write() as session:
        assert await claims.extend(session, "b", [id], MINUTE) == {}
        assert list(await claims.extend(session, "a", [id, stranger], MINUTE)) == [id]
    assert await claims.end_expired(database) == 0


async def test_the_wait_doubles_and_ends_in_failure(database: Database, dream: Any) -> None:
    await enqueue(database, dream)
    waits = []
    for _ in range(2):
        [claimed] = await claim(database)
        assert (await release(database, dream, claimed, "Overloaded.")).status == "PENDING"
        waits.append(round(await wait_of(database)))
        await make_available(database)
    [claimed] = await claim(database)
    failed = await release(database, dream, claimed, "Still overloaded.")

    assert waits == [10, 20]
    assert (failed.status, failed.reasoning) == ("FAILED", "Still overloaded.")
    assert await states(database) == [("FAILED", None)]


async def test_the_wait_is_at_most_an_hour(database: Database, dream: Any) -> None:
    await enqueue(database, dream, max_attempts=20)
    async with database.write() as session:
        await session.execute(update(QueuedAiTest).values(attempts=15))
    [claimed] = await claim(database)
    await release(database, dream, claimed, "Overloaded.")
    assert round(await wait_of(database)) == 3_600


async def test_an_attempt_given_back_without_a_reason_does_not_count(
    database: Database, dream: Any
) -> None:
    await enqueue(database, dream, max_attempts=1)
    [claimed] = await claim(database)
    assert (await release(database, dream, claimed, None)).status == "PENDING"
    assert await states(database) == [("PENDING", 0)]
    assert len(await claim(database)) == 1


async def test_the_last_attempt_to_expire_fails_the_test(
    database: Database, dream: Any, others: list[Database]
) -> None:
    owner = await make_user(database)
    async with database.write() as session:
        mine = update(Dream).where(Dream.id == dream.id).values(user_id=owner.id)
        await session.execute(mine)
    await enqueue(database, dream, max_attempts=1)
    await claim(database)
    await expire(database)

    ended = await asyncio.gather(*map(claims.end_expired, [database, *others]))

    assert sum(ended) == 1
    assert await states(database) == [("FAILED", None)]
    [test] = await stored(database, AiTest)
    assert test.reasoning == claims.EXPIRED
    owners = [(each.kind, each.user_id) for each in await stored(database, Notification)]
    assert owners == [("TEST_FAILED", owner.id)]


async def test_a_cancelled_test_leaves_the_queue(database: Database, dream: Any) -> None:
    test = await enqueue(database, dream)
    [claimed] = await claim(database)
    async with database.write() as session:
        await writes.end(session, dream, claimed.test, AiTestStatus.CANCELLED)
    assert await states(database) == [("CANCELLED", None)]
    assert await claims.end_expired(database) == 0
    assert test.id == claimed.test.id


async def test_a_worker_claims_what_it_sees(database: Database) -> None:
    ada = await make_user(database)
    hidden = await make_dream(database, is_public=False)
    public, own = await make_dream(database), await make_dream(database, user_id=ada.id)
    for each in (hidden, public, own):
        await enqueue(database, each)
    seen = database.scoped_to(Visibility(user_id=ada.id))

    assert [each.test.dream_id for each in await claim(seen, limit=9, owner_id=ada.id)] == [own.id]
    assert [each.test.dream_id for each in await claim(seen, limit=9)] == [public.id]
    everything = database.scoped_to(Visibility(shared=True))
    assert [each.test.dream_id for each in await claim(everything, limit=9)] == [hidden.id]


async def test_rows_of_tests_that_expired_are_removed(database: Database, dream: Any) -> None:
    gone, kept = await enqueue(database, dream), await enqueue(database, dream)
    async with database.write() as session:
        await session.execute(delete(AiTest).where(AiTest.id == gone.id))
    assert await queue.remove_orphans(database) == 1
    assert [entry.id for entry in await stored(database, QueuedAiTest)] == [kept.id]
