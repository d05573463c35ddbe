"""The work queue while its database or its gateway is killed again and again.

Workers claim tests and complete them, each time with a result of their own, and send a result again
if its response was lost. Afterwards what they know is compared with what is stored: each test has
one result, each acknowledged result is stored, and no attempt was given to two workers. A control
takes a lost response for an acknowledgement: its results differ from those that are stored.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from db import Database
from db.ai_tests import AiTest, AiTestStatus, queue, writes
from db.ai_tests.queue import QueuedAiTest
from db.audit import AuditEntry
from db.progress import ProgressLog
from faults.world import World
from gateway.worker.api import Api, Claim, RequestFailed, Wanted
from gateway.worker.items import Answer, Verdict
from support.effort import CYCLES
from support.factories import make_dream
from support.wait import patience, until

WORKERS = 8
CONTROL_CYCLES = 20  # at most; one or two are enough
TESTS = 30  # for each kill, and once more
LEASE = 5  # seconds, the shortest
OVER = ("CLAIM_LOST", "CONFLICT")
LATER = ("SERVICE_UNAVAILABLE", "DATABASE_READ_ONLY", "RATE_LIMITED")


@dataclass
class History:
    """What workers know: results that were acknowledged, by test, and claims that they got.
    `trusting` workers do not send again what they are in doubt of."""

    trusting: bool = False
    results: dict[str, str] = field(default_factory=dict)
    twice: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    in_doubt: int = 0  # requests without a response
    stopping: bool = False

    def acknowledge(self, test_id: str, result: str) -> None:
        if test_id in self.results:
            self.twice.append(test_id)
        self.results[test_id] = result

    async def grown(self, by: int) -> None:
        wanted = len(self.results) + by
        await until(lambda: len(self.results) >= wanted)


@asynccontextmanager
async def working(world: World, history: History) -> AsyncIterator[None]:
    workers = [asyncio.create_task(_work(world, history, n)) for n in range(WORKERS)]
    try:
        yield
    finally:
        history.stopping = True
        await asyncio.gather(*workers)


async def _work(world: World, history: History, number: int) -> None:
    async with httpx2.AsyncClient(base_url=world.address, timeout=20) as client:
        api = Api(client, Wanted("openai", None, f"w{number}", LEASE))
        while not history.stopping:
            for claim in await _insist(history, lambda: api.claim(3)) or []:
                history.claims.append(claim.id)
                await _complete(api, history, claim, f"{number} {claim.id}")
            await asyncio.sleep(0.01)  # the queue may be empty


async def _complete(api: Api, history: History, claim: Claim, result: str) -> None:
    verdict = Verdict(50, reasoning=result)
    send = lambda: api.complete(claim, Answer(""), verdict, 1)  # noqa: E731
    sent = await _insist(history, send, again=not history.trusting)
    if sent is not Over:
        history.acknowledge(claim.test_id, result)


class Over(Exception):
    """The test was completed before, or its claim is lost."""


async def _insist(history: History, send: Callable[[], Awaitable[Any]], again: bool = False) -> Any:
    """The response to a request; None, or another attempt, if it was lost."""
    while True:
        try:
            return await send()
        except httpx2.TransportError:
            history.in_doubt += 1
        except RequestFailed as failed:
            if failed.code in OVER:
                return Over
            if failed.code not in LATER:
                raise
        if not again:
            return None
        await asyncio.sleep(0.02)


async def enqueue(world: World, count: int) -> None:
    database = Database(world.url, pool_size=1)
    async with database.write() as session:
        dream = await make_dream(session)
    for _ in range(count):
        async with database.write() as session:
            pending = AiTestStatus.PENDING
            test = await writes.start(session, dream, None, pending, provider="openai", model="gpt")
            await queue.add(session, test, max_attempts=20)
    await database.close()


async def finish(world: World) -> None:
    """Let the delays between attempts pass, until no test is left in the queue."""
    database = Database(world.url, pool_size=1)

    async def is_empty() -> bool:
        async with database.write() as session:
            delayed = QueuedAiTest.claim_id.is_(None), QueuedAiTest.available_at > func.now()
            await session.execute(
                update(QueuedAiTest).where(*delayed).values(available_at=func.now())
            )
            return not await session.scalar(select(func.count()).select_from(QueuedAiTest))

    await until(is_empty)
    await database.close()


async def stored_results(world: World) -> dict[str, str | None]:
    """The result of each test, by its global ID."""
    database = Database(world.url, pool_size=1)
    async with database.read() as session:
        tests = await session.records(AiTest, AiTest.select())
    await database.close()
    return {f"ai_test_{test.id.hex}": test.reasoning for test in tests}


def check_results(history: History, stored: dict[str, str | None]) -> None:
    assert {id: stored[id] for id in history.results} == history.results


async def check(world: World, history: History, count: int) -> None:
    database = Database(world.url, pool_size=1)
    async with database.read() as session:
        tests = await session.records(AiTest, AiTest.select())
        logs = await session.scalar(select(func.count()).select_from(ProgressLog))
        entries = await session.records(
            AuditEntry, AuditEntry.select().where(AuditEntry.entity == "ai_tests")
        )
    await database.close()
    changes = [(entry.entity_id, (entry.after or {}).get("status")) for entry in entries]
    completions = Counter(id for id, status in changes if status == "COMPLETED")

    assert Counter(test.status for test in tests) == {"COMPLETED": count}
    assert logs == count
    assert set(completions.values()) == {1}
    assert history.twice == []
    check_results(history, await stored_results(world))
    assert max(Counter(history.claims).values()) == 1
    claimed = sum(status == "RUNNING" for _, status in changes)
    assert len(history.claims) <= claimed


KILLS = [World.kill_database, World.kill_gateway]


@pytest.mark.parametrize("kill", KILLS, ids=["database", "gateway"])
@pytest.mark.timeout(180 + 60 * CYCLES)
async def test_each_test_has_one_result(
    world: World, kill: Callable[[World], Awaitable[None]]
) -> None:
    history, chance = History(), random.Random(7)  # noqa: S311  no secret
    count = TESTS * (CYCLES + 1)
    await enqueue(world, count)
    async with working(world, history):
        for _ in range(CYCLES):
            await history.grown(by=chance.randint(TESTS // 3, TESTS // 2))
            await kill(world)
        async with patience():
            await finish(world)
    assert history.in_doubt or kill is World.kill_database
    await check(world, history, count)


@pytest.mark.timeout(180 + 60 * CYCLES)
async def test_without_sending_again_results_are_lost(world: World) -> None:
    history, chance = History(trusting=True), random.Random(7)  # noqa: S311  no secret
    await enqueue(world, TESTS * CONTROL_CYCLES)
    async with working(world, history):
        for _ in range(CONTROL_CYCLES):
            await history.grown(by=chance.randint(TESTS // 3, TESTS // 2))
            await world.kill_gateway()
            known = dict(history.results)
            stored = await stored_results(world)
            if any(stored[id] != result for id, result in known.items()):
                break
    with pytest.raises(AssertionError):
        check_results(history, await stored_results(world))
