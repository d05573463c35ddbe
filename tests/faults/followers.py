"""Followers: subscribers that remember rows or states, and crowds of them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cluster.follower import (
    Follower as ResumingFollower,
    Transport,
    event_stream,
    websocket as websocket,
)

EVENTS = """subscription ($after: String) {
  events(after: $after, filter: {source: {eq: "fault"}}) {
    kind cursor reason events { seq eventType }
  }
}"""
HISTORY = """subscription ($after: String) {
  agentHistory(after: $after) { kind cursor reason reports { seq agentKey status } }
}"""
STATUS = """subscription ($after: String) {
  agentStatus(after: $after) { kind cursor reason removedKeys agents { key status currentTask } }
}"""


@dataclass
class Follower(ResumingFollower):
    """`forgetful` ones begin anew after each interruption."""

    forgetful: bool = False

    @property
    def after(self) -> str | None:
        return None if self.forgetful else self.cursor


@dataclass
class Listener(Follower):
    """Remembers every row, in order, each once: what it has already is told again after a
    connection was lost in the moment of telling."""

    rows: str = "events"
    seqs: list[int] = field(default_factory=list)
    repeated: int = 0

    def apply(self, update: Any) -> None:
        if update["kind"] == "RESET":
            self.seqs.clear()
        for row in update[self.rows]:
            seq = int(row["seq"])
            if self.seqs and seq <= self.seqs[-1]:
                self.repeated += 1
            else:
                self.seqs.append(seq)


@dataclass
class Dashboard(Follower):
    """Remembers the present state of each agent."""

    agents: dict[str, Any] = field(default_factory=dict)

    def apply(self, update: Any) -> None:
        if update["kind"] == "SNAPSHOT":
            self.agents.clear()
        for agent in update["agents"]:
            self.agents[agent["key"]] = agent
        for key in update["removedKeys"]:
            self.agents.pop(key, None)


def crowd(forgetful: bool = False) -> list[Follower]:
    """Ten over WebSockets and four over event streams, of each kind."""
    transports = [*[websocket] * 10, *[event_stream] * 4]
    kinds: list[Callable[[Transport], Follower]] = [
        lambda transport: Listener(EVENTS, transport, forgetful=forgetful),
        lambda transport: Listener(HISTORY, transport, forgetful=forgetful, rows="reports"),
        lambda transport: Dashboard(STATUS, transport, forgetful=forgetful),
    ]
    return [kinds[n % len(kinds)](transport) for n, transport in enumerate(transports)]


@asynccontextmanager
async def following(address: str, followers: list[Follower]) -> AsyncIterator[None]:
    """Followers at work; on entering, all of them have been told where they begin."""
    tasks = [asyncio.create_task(follower.run(address)) for follower in followers]
    try:
        for follower in followers:
            await follower.until(lambda f=follower: f.cursor is not None)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
