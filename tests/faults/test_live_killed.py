"""Subscribers while the gateway and the database are killed again and again.

Agents report and services log events, all with keys, and send again what they are in doubt of. Each
subscriber comes back after its newest cursor. Afterwards what each of them saw is compared with
what is stored. A control begins anew instead of resuming: what it misses shows that the kills do
hit while there is something to miss.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from db import Database
from db.agents import Agent, AgentReport
from db.events import Event
from faults.followers import Dashboard, Follower, Listener, crowd, following
from faults.world import World
from support.effort import CYCLES, SEEDS
from support.wait import patience

WRITERS = 4
AGENTS = 143
BATCH = 20
REPORT = """mutation ($input: ReportAgentStatusesInput!) {
  reportAgentStatuses(input: $input) { storedIds }
}"""
LOG = """mutation ($input: LogEventsInput!) {
  logEvents(input: $input) { storedIds }
}"""
STATUSES = ("IDLE", "RUNNING", "WAITING", "ERROR")


@dataclass
class History:
    """What writers know: ids that were acknowledged, by mutation, and how many batches."""

    acknowledged: dict[str, set[str]] = field(default_factory=dict)
    batches: int = 0
    stopping: bool = False
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, name: str, ids: set[str]) -> None:
        async with self.progress:
            self.acknowledged.setdefault(name, set()).update(ids)
            self.batches += 1
            self.progress.notify_all()

    async def grown(self, by: int) -> None:
        """Returns when that many more batches are acknowledged."""
        wanted = self.batches + by
        async with patience(), self.progress:
            await self.progress.wait_for(lambda: self.batches >= wanted)


@asynccontextmanager
async def load(world: World, history: History) -> AsyncIterator[None]:
    """Writers at work; at the end each brings its last batch to an end."""
    writers = [asyncio.create_task(_write(world, history, n)) for n in range(WRITERS)]
    try:
        yield
    finally:
        history.stopping = True
        await asyncio.gather(*writers)


async def _write(world: World, history: History, writer: int) -> None:
    chance, batch = random.Random(writer), 0  # noqa: S311  no secret
    async with httpx2.AsyncClient(timeout=20) as http:
        while not history.stopping:
            name = f"{writer}/{batch}"
            await _insist(http, world, history, REPORT, {"reports": _reports(chance, name)})
            await _insist(http, world, history, LOG, {"events": _events(name)})
            batch += 1


def _reports(chance: random.Random, name: str) -> list[Any]:
    at = datetime.now(UTC).isoformat()
    return [
        {
            "agentKey": f"agent-{chance.randrange(AGENTS)}",
            "status": chance.choice(STATUSES),
            "currentTask": {"of": f"{name}/{n}"},
            "reportedAt": at,
            "idempotencyKey": f"{name}/{n}",
        }
        for n in range(BATCH)
    ]


def _events(name: str) -> list[Any]:
    at = datetime.now(UTC).isoformat()
    fixed = {"source": "fault", "timestamp": at}
    return [
        {**fixed, "eventType": f"{name}/{n}", "idempotencyKey": f"{name}/{n}"} for n in range(BATCH)
    ]


async def _insist(
    http: httpx2.AsyncClient, world: World, history: History, mutation: str, input: Any
) -> None:
    """Sends a batch until all of it is acknowledged."""
    while True:
        with suppress(httpx2.TransportError):
            body = {"query": mutation, "variables": {"input": input}}
            answer = await http.post(f"{world.address}/graphql", json=body)
            assert answer.status_code in (200, 429, 503), answer.text
            for result in (answer.json().get("data") or {}).values():
                ids = {id for id in result["storedIds"] if id}
                if len(ids) == BATCH:
                    await history.note(mutation, ids)
                    return
        await asyncio.sleep(0.05)


@dataclass
class Stored:
    """What is in the database at the end."""

    events: list[int]
    reports: list[int]
    agents: dict[str, Any]
    ids: set[str]


async def stored(world: World) -> Stored:
    database = Database(world.url)
    async with database.read() as session:
        events = await session.rows(
            select(Event.seq, Event.id).where(Event.source == "fault").order_by(Event.seq)
        )
        reports = await session.rows(
            select(AgentReport.seq, AgentReport.id).order_by(AgentReport.seq)
        )
        agents = await session.records(Agent, Agent.select())
    await database.close()
    ids = {f"event_{e.id.hex}" for e in events} | {f"agent_report_{r.id.hex}" for r in reports}
    shown = {
        agent.agent_key: {
            "key": agent.agent_key,
            "status": agent.status,
            "currentTask": agent.current_task,
        }
        for agent in agents
    }
    return Stored([e.seq for e in events], [r.seq for r in reports], shown, ids)


def differs(follower: Follower, found: Stored) -> str | None:
    """How what a follower remembers differs from what is stored."""
    if isinstance(follower, Dashboard):
        return None if follower.agents == found.agents else "another state"
    assert isinstance(follower, Listener)
    rows = found.events if follower.rows == "events" else found.reports
    missed, seen = set(rows) - set(follower.seqs), follower.seqs
    if missed:
        return f"missed {len(missed)} of {len(rows)}"
    return None if seen == rows else "rows out of order, or not stored"


async def settled(followers: list[Follower], found: Stored) -> list[str]:
    """How followers differ from what is stored, once they have had the time to catch up."""
    for follower in followers:
        with suppress(TimeoutError):
            await follower.until(lambda f=follower: differs(f, found) is None, seconds=20)
    return [difference for f in followers if (difference := differs(f, found))]


async def _killing(world: World, history: History, chance: random.Random) -> None:
    for _ in range(CYCLES):
        for kill in (world.kill_gateway, world.kill_database):
            await history.grown(by=chance.randint(5, 20))
            await kill()
    await history.grown(by=20)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", SEEDS)
async def test_subscribers_miss_nothing(world: World, seed: int) -> None:
    history, followers = History(), crowd()
    async with following(world.address, followers):
        async with load(world, history):
            await _killing(world, history, random.Random(seed))  # noqa: S311  no secret
        found = await stored(world)

        assert set().union(*history.acknowledged.values()) <= found.ids
        assert await settled(followers, found) == []
        assert [follower.resets for follower in followers if follower.resets] == []
        assert min(follower.connections for follower in followers) > 1


@pytest.mark.timeout(600)
async def test_a_restarted_subscription_misses_rows(world: World) -> None:
    history, followers = History(), [f for f in crowd(forgetful=True) if isinstance(f, Listener)]
    async with following(world.address, followers):
        async with load(world, history):
            for _ in range(3):
                await history.grown(by=10)
                await world.kill_gateway()
            await history.grown(by=20)
        found = await stored(world)
        missed = [differs(follower, found) for follower in followers]

    assert [difference for difference in missed if "missed" in str(difference)]
