"""Connections: open streams, their limits, and how they end when the process stops.

A stream is a WebSocket with all its operations, or one subscription over HTTP. A WebSocket is
unidentified until its client is known. Unidentified WebSockets have limits of their own.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.errors import RETRY, HttpError
from gateway.protocols.waiting_room import Waiting, WaitingRoom
from gateway.transport.host_counts import ALL, Column
from graph.core.principal import Client

TICK_SECONDS = 0.05
DRAINING = "This gateway is stopping; connect to another one."
FULL = "This gateway is at its limit of open streams; retry later."
TOO_MANY = "You have {} open streams, the most allowed: close one, or retry later."


class OpenStreams:
    """The open streams of this process: at most `most`, `most_per_caller` for each user or key, and
    `most_per_network` for the anonymous clients of one network. 0 means no limit. The limits hold
    for all workers of the host together, if there is a column of their counts."""

    def __init__(
        self,
        most: int,
        most_per_caller: int,
        most_per_network: int,
        unidentified: WaitingRoom | None = None,
        host: Column | None = None,
    ) -> None:
        self.most = most
        self.most_per_caller = most_per_caller
        self.most_per_network = most_per_network
        self.unidentified = unidentified or WaitingRoom(0, 0)
        self.host = host
        self.open: dict[OpenStream, None] = {}  # the oldest first
        self.identified = 0  # of those open
        self.held: Counter[str] = Counter()
        self.ended = 0
        self.draining = False

    def admit(self, client: Client, leave: Callable[[], None]) -> "OpenStream":
        """Admit a stream, which is open within its context. `leave` is called once when the
        process stops; it asks the client to reconnect and does not wait. Raises HttpError."""
        stream = self._opened(leave)
        try:
            stream.belongs_to(client)
        except HttpError:
            stream.close()
            raise
        return stream

    def admit_unidentified(
        self, network: str, leave: Callable[[], None], give_up: Callable[[], None]
    ) -> "OpenStream":
        """Admit a stream whose client is not known until `belongs_to`. `give_up` is called if there
        are too many of them. Raises HttpError."""
        stream = self._opened(leave)
        stream.waiting = Waiting(network, give_up)
        self.unidentified.add(stream.waiting)
        return stream

    def check_room(self) -> None:
        """Raises HttpError if the host is at its limit of identified streams."""
        if self.most and self.identified + self._elsewhere(ALL) >= self.most:
            raise HttpError(FULL, 503, headers=RETRY)

    def check(self, client: Client) -> None:
        """Raises HttpError if the client is at its limit."""
        most = self.most_per_caller if client.known else self.most_per_network
        if most and self.held[client.name] + self._elsewhere(client.name) >= most:
            raise HttpError(TOO_MANY.format(most), 429, headers=RETRY)

    def count_identified(self, change: int) -> None:
        self.identified += change
        if self.host:
            self.host.add(ALL, change)

    def count_held(self, name: str, change: int) -> None:
        self.held[name] += change
        if not self.held[name]:
            del self.held[name]
        if self.host:
            self.host.add(name, change)

    async def drain(self, seconds: float) -> None:
        """Admit no more streams and end the open ones evenly over `seconds`, so that clients do not
        all reconnect at once. Returns when none is open or the time is up."""
        self.draining = True
        began, staying = time.monotonic(), list(self.open)
        count = len(staying)
        while self.open and (passed := time.monotonic() - began) < seconds:
            self._leave(staying, count - int(count * passed / seconds) - 1)
            await asyncio.sleep(TICK_SECONDS)
        self._leave(staying, 0)

    def _opened(self, leave: Callable[[], None]) -> "OpenStream":
        if self.draining:
            raise HttpError(DRAINING, 503, headers=RETRY)
        stream = OpenStream(self, leave)
        self.open[stream] = None
        return stream

    def _elsewhere(self, name: str) -> int:
        return self.host.elsewhere(name) if self.host else 0

    def _leave(self, staying: "list[OpenStream]", remaining: int) -> None:
        while len(staying) > max(0, remaining):
            stream = staying.pop()
            if stream in self.open:
                stream.leave()


class OpenStream:
    """One open stream. Leaving its context closes it."""

    __slots__ = ("is_identified", "leave", "owner", "streams", "waiting")

    def __init__(self, streams: OpenStreams, leave: Callable[[], None]) -> None:
        self.streams = streams
        self.leave = leave
        self.waiting: Waiting | None = None
        self.owner: str | None = None
        self.is_identified = False

    def belongs_to(self, client: Client) -> None:
        """Reassign the stream to a client. On HttpError, ownership is unchanged."""
        if not self.is_identified:
            self.streams.check_room()
        if client.is_limited and client.name != self.owner:
            self.streams.check(client)
        self._uncount()
        self.is_identified = True
        self.streams.count_identified(1)
        if client.is_limited:
            self.owner = client.name
            self.streams.count_held(client.name, 1)

    def close(self) -> None:
        self._uncount()
        self.streams.open.pop(self, None)

    def _uncount(self) -> None:
        if self.waiting:
            self.streams.unidentified.remove(self.waiting)
            self.waiting = None
        if self.is_identified:
            self.is_identified = False
            self.streams.count_identified(-1)
        if self.owner is not None:
            self.streams.count_held(self.owner, -1)
            self.owner = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()
        self.streams.ended += 1
