"""Ingestion while its database or its gateway is killed again and again.

Clients send events and send again what they are in doubt of. Afterwards the history of what they
sent and what was acknowledged is compared with what is stored. A control sends again without keys:
its duplicates show that the kills do hit in the moment between storing and answering.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from db import Database
from db.events import Event
from faults.world import World
from support.effort import CYCLES
from support.wait import patience

CONTROL_CYCLES = 20  # at most; one or two are enough
CLIENTS = 12
ITEMS = 20
MUTATION = """mutation ($input: LogEventsInput!) {
  logEvents(input: $input) { storedIds }
}"""


@dataclass
class History:
    """What clients know, by the name of each event."""

    keyed: bool
    sent: set[str] = field(default_factory=set)
    acknowledged: set[str] = field(default_factory=set)
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)
    stopping: bool = False

    async def acknowledge(self, names: list[str]) -> None:
        async with self.progress:
            self.acknowledged.update(names)
            self.progress.notify_all()

    async def grown(self, by: int) -> None:
        """Returns when that many more events are acknowledged."""
        wanted = len(self.acknowledged) + by
        async with patience(), self.progress:
            await self.progress.wait_for(lambda: len(self.acknowledged) >= wanted)


@asynccontextmanager
async def load(world: World, history: History) -> AsyncIterator[None]:
    """Clients at work; at the end each one brings its last batch to an end."""
    clients = [asyncio.create_task(_client(world, history, n)) for n in range(CLIENTS)]
    try:
        yield
    finally:
        history.stopping = True
        await asyncio.gather(*clients)


async def _client(world: World, history: History, number: int) -> None:
    url, batch = f"http://127.0.0.1:{world.port}/graphql", 0
    async with httpx2.AsyncClient(timeout=20) as http:
        while not history.stopping:
            names = [f"{number}-{batch}-{n}" for n in range(ITEMS)]
            history.sent.update(names)
            await _insist(http, url, history, names)
            batch += 1


async def _insist(http: httpx2.AsyncClient, url: str, history: History, names: list[str]) -> None:
    """Sends a batch until every item is acknowledged, those in doubt again."""
    at = datetime.now(UTC).isoformat()
    while names:
        events = [_event(name, at, history.keyed) for name in names]
        ids = await _send(http, url, {"input": {"events": events}}) or [None] * len(names)
        pairs = list(zip(names, ids, strict=True))
        await history.acknowledge([name for name, id in pairs if id])
        names = [name for name, id in pairs if id is None]


def _event(name: str, at: str, keyed: bool) -> dict[str, Any]:
    event = {"eventType": name, "source": "fault"}
    return event | {"timestamp": at, "idempotencyKey": name} if keyed else event


async def _send(http: httpx2.AsyncClient, url: str, variables: Any) -> list[Any] | None:
    """The IDs of a batch, None when nobody knows what became of it."""
    with suppress(httpx2.TransportError):
        answer = await http.post(url, json={"query": MUTATION, "variables": variables})
        assert answer.status_code in (200, 429, 503), answer.text
        data = answer.json().get("data")
        return data["logEvents"]["storedIds"] if data else None
    return None


async def stored(world: World) -> Counter[str]:
    """How often each event is stored."""
    database = Database(world.url)
    async with database.read() as session:
        names = await session.rows(select(Event.event_type).where(Event.source == "fault"))
    await database.close()
    return Counter(name for (name,) in names)


def check(history: History, found: Counter[str]) -> None:
    """What was acknowledged is stored, nothing twice, nothing that nobody sent."""
    assert history.acknowledged - found.keys() == set()
    assert [name for name, times in found.items() if times > 1] == []
    assert found.keys() - history.sent == set()


KILLS = [World.kill_database, World.kill_gateway]


@pytest.mark.parametrize("kill", KILLS, ids=["database", "gateway"])
async def test_an_acknowledged_row_is_stored_once(
    world: World, kill: Callable[[World], Awaitable[None]]
) -> None:
    history, chance = History(keyed=True), random.Random(7)  # noqa: S311  no secret
    async with load(world, history):
        for _ in range(CYCLES):
            await history.grown(by=chance.randint(500, 1500))
            await kill(world)
        await history.grown(by=500)
    assert history.sent == history.acknowledged
    check(history, await stored(world))


async def test_without_keys_the_same_kills_store_some_twice(world: World) -> None:
    history, chance = History(keyed=False), random.Random(7)  # noqa: S311  no secret
    async with load(world, history):
        for _ in range(CONTROL_CYCLES):
            await history.grown(by=chance.randint(500, 1500))
            await world.kill_gateway()
            if max((await stored(world)).values()) > 1:
                break
    with pytest.raises(AssertionError):
        check(history, await stored(world))
