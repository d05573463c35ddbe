"""Subscribers: followers that remember the ids of all rows that they were sent."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from cluster.follower import Follower, Json, Transport, event_stream, websocket

BEGIN_SECONDS = 30
SOCKETS, STREAMS = 9, 6  # subscribers of each transport

EVENTS = """subscription ($after: String) {
  events(after: $after, filter: {source: {eq: "cluster"}}) { kind cursor reason events { id } }
}"""
REPORTS = """subscription ($after: String) {
  agentHistory(after: $after) { kind cursor reason reports { id } }
}"""
DREAMS = """subscription ($after: String) {
  dreams(after: $after) { kind cursor reason dreams { id } }
}"""
ROWS = {EVENTS: "events", REPORTS: "reports", DREAMS: "dreams"}


@dataclass
class Subscriber(Follower):
    seen: set[str] = field(default_factory=set)

    @property
    def rows(self) -> str:
        return ROWS[self.query]

    def apply(self, update: Json) -> None:
        rows = update[self.rows]
        if isinstance(rows, list):
            self.seen.update(str(row["id"]) for row in rows)

    async def has_begun(self) -> bool:
        return await self.reaches(lambda: self.cursor is not None, BEGIN_SECONDS)

    async def reaches(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether the condition holds in time."""
        with suppress(TimeoutError):
            await self.until(condition, seconds)
        return condition()


def subscribers() -> list[Subscriber]:
    """Of each transport and each feed."""
    transports: list[Transport] = [*[websocket] * SOCKETS, *[event_stream] * STREAMS]
    queries = [*ROWS]
    return [Subscriber(queries[n % 3], each) for n, each in enumerate(transports)]
