"""Run: clients at work while one part after the other is killed, and what they noticed."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from cluster.parts import Part
from cluster.requests import Client, Ledger
from cluster.spender import Spender
from cluster.stored import differing, stored
from cluster.subscribers import Subscriber, subscribers
from cluster.world import GATEWAYS, World
from cluster.writers import Acknowledged, Writer

WRITERS = 4
BEFORE_SECONDS, AFTER_SECONDS = 1.0, 2.0  # of load
TOLERATED_SECONDS = 1.0  # of failures
ELSEWHERE = {"x-forwarded-for": "203.0.113.7"}  # the network of the spender


@dataclass(frozen=True)
class Finding:
    """What clients noticed of one part."""

    part: Part
    away: float  # seconds until it was back
    requests: int
    failed: int
    failed_for: float  # seconds after the kill, or after it was back
    slowest: float
    lost: int
    missed: int
    resets: int
    differing: int

    def __str__(self) -> str:
        return (
            f"{self.part.name:24} {self.away:7.1f} {self.requests:9} {self.failed:6} "
            f"{self.failed_for:6.1f} {self.slowest:10.1f} {self.lost:6} {self.missed:7} "
            f"{self.resets:7}"
        )

    @property
    def problems(self) -> list[str]:
        found = {
            "acknowledged writes are lost": self.lost,
            "rows were missed": self.missed,
            "writes were stored or acknowledged twice": self.differing,
            "subscribers were reset": 0 if self.part.resets else self.resets,
            "requests failed": 0 if self.part.failures else self.failed,
        }
        late = self.failed_for > TOLERATED_SECONDS
        named = [f"{value} {what}" for what, value in found.items() if value]
        return [*named, f"failures for {self.failed_for:.1f} s"] if late else named


@dataclass
class Load:
    """The clients of a cluster."""

    world: World
    ledger: Ledger = field(default_factory=Ledger)
    acknowledged: Acknowledged = field(default_factory=Acknowledged)
    subscribers: list[Subscriber] = field(default_factory=subscribers)

    def __post_init__(self) -> None:
        numbers = count(1)
        self.writers = [
            Writer(f"writer-{next(numbers)}", self._client(), self.acknowledged)
            for _ in range(WRITERS)
        ]
        self.spender = Spender(Client(self.world.address, self.ledger, ELSEWHERE))

    def _client(self) -> Client:
        headers = {"authorization": f"Bearer {self.world.key}"}
        return Client(self.world.address, self.ledger, headers)

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Within the context, all clients are at work; subscribers know where they begin."""
        following = [
            asyncio.create_task(each.run(self.world.address, self.world.key))
            for each in self.subscribers
        ]
        for each in self.subscribers:
            if not await each.has_begun():
                raise SystemExit("A subscription does not begin.")
        spending = asyncio.create_task(self.spender.run())
        writing = [asyncio.create_task(each.run()) for each in self.writers]
        try:
            yield
        finally:
            for writer in self.writers:
                writer.is_stopping = True
            await asyncio.wait(writing, timeout=30)
            for task in [*following, spending, *writing]:
                task.cancel()
            await asyncio.gather(*following, spending, *writing, return_exceptions=True)
            for client in [*(each.client for each in self.writers), self.spender.client]:
                await client.close()

    async def without(self, part: Part) -> Finding:
        """Kill a part, wait until it is back, and compare what is stored with what clients know."""
        resets = self._resets()
        began = time.monotonic()
        await asyncio.sleep(BEFORE_SECONDS)
        killed = time.monotonic()
        await part.kill(self.world)
        await part.back(self.world)
        back = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        known = set(self.acknowledged.ids)
        found = await stored(self.world.postgres.url)
        missed = [len(await found.missed(each)) for each in self.subscribers if not each.resets]
        answers, failed = self.ledger.since(began), self.ledger.failed(killed)
        origin = back if part.without else killed
        return Finding(
            part,
            back - killed,
            len(answers),
            len(failed),
            max([0.0, *(each.at - origin for each in failed)]),
            max(each.seconds for each in answers),
            len(found.lost(known)),
            sum(missed),
            self._resets() - resets,
            len(differing(self.acknowledged, found)),
        )

    def _resets(self) -> int:
        return sum(len(each.resets) for each in self.subscribers)

    def spent(self) -> "Spending":
        return Spending(self.spender.spent, self.spender.allowed(GATEWAYS), self.spender.refused)


@dataclass(frozen=True)
class Spending:
    """Points that one caller spent at all gateways, and operations that were refused."""

    points: int
    allowed: float
    refused: int

    def __str__(self) -> str:
        return (
            f"budget: {self.points} points spent of at most {self.allowed:.0f}, "
            f"{self.refused} operations refused"
        )

    @property
    def problems(self) -> list[str]:
        found = {
            "more points were spent than are allowed": self.points > self.allowed,
            "no operation was refused": not self.refused,
        }
        return [what for what, is_so in found.items() if is_so]


async def all_parts(world: World, parts: Sequence[Part]) -> AsyncIterator[Finding | Spending]:
    """Findings one after the other, then what was spent meanwhile."""
    load = Load(world)
    async with load.at_work():
        for part in parts:
            yield await load.without(part)
    yield load.spent()
