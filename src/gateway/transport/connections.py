"""Streams: the connections that stay open, how many there may be, and how they leave together.

A stream is a WebSocket with all its operations, or the one operation of an event stream. A
WebSocket whose caller is not known yet is unidentified. It takes the place of no other stream.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gateway.auth.clients import Client
from gateway.errors import RETRY, HttpError
from gateway.protocols.waiting_room import Waiting, WaitingRoom

TICK_SECONDS = 0.05
DRAINING = "This gateway is stopping; another one will take you."
FULL = "This gateway holds as many streams as it may; try again later."
TOO_MANY = "You have {} streams open, as many as you may: end one, or try again later."


class OpenStreams:
    """The open streams of this process. There are at most `most`, `most_per_caller` of a user or a
    key and `most_per_network` of the strangers in one network; 0 is no limit."""

    def __init__(
        self,
        most: int,
        most_per_caller: int,
        most_per_network: int,
        unidentified: WaitingRoom | None = None,
    ) -> None:
        self.most = most
        self.most_per_caller = most_per_caller
        self.most_per_network = most_per_network
        self.unidentified = unidentified or WaitingRoom(0, 0)
        self.open: dict[OpenStream, None] = {}  # the oldest first
        self.identified = 0  # of those open
        self.held: Counter[str] = Counter()
        self.ended = 0
        self.draining = False

    def admit(self, caller: Client | None, leave: Callable[[], None]) -> "OpenStream":
        """A place for one more stream, for as long as its context lasts; nothing is counted of the
        caller None. `leave` is called once when the process stops: it tells the client to come
        back elsewhere and does not wait. Raises Refused."""
        stream = self._opened(leave)
        try:
            stream.belongs_to(caller)
        except HttpError:
            stream.close()
            raise
        return stream

    def admit_unidentified(
        self, network: str, leave: Callable[[], None], give_up: Callable[[], None]
    ) -> "OpenStream":
        """A place for a stream of which only the network is known, until it `belongs_to` a caller.
        `give_up` is called when others need the place. Raises Refused."""
        stream = self._opened(leave)
        stream.waiting = self.unidentified.add(network, give_up)
        return stream

    def check_room(self) -> None:
        """Raises Refused where the process has as many identified streams as it may."""
        if self.most and self.identified >= self.most:
            raise HttpError(FULL, 503, headers=RETRY)

    def check(self, caller: Client) -> None:
        """Raises Refused where a caller has as many as they may."""
        most = self.most_per_caller if caller.known else self.most_per_network
        if most and self.held[caller.name] >= most:
            raise HttpError(TOO_MANY.format(most), 429, headers=RETRY)

    async def drain(self, seconds: float) -> None:
        """Admits nobody any more and tells all to leave, evenly over that time, so that they do
        not come to another process in one instant; returns when none is open or the time is up."""
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

    def _leave(self, staying: "list[OpenStream]", remaining: int) -> None:
        while len(staying) > max(0, remaining):
            stream = staying.pop()
            if stream in self.open:
                stream.leave()


class OpenStream:
    """One open stream; it is given up by leaving its context."""

    __slots__ = ("caller", "is_identified", "leave", "streams", "waiting")

    def __init__(self, streams: OpenStreams, leave: Callable[[], None]) -> None:
        self.streams = streams
        self.leave = leave
        self.waiting: Waiting | None = None
        self.caller: str | None = None
        self.is_identified = False

    def belongs_to(self, caller: Client | None) -> None:
        """Counts it for a caller, and no longer for the one before. Raises Refused, and then it is
        counted as it was."""
        if not self.is_identified:
            self.streams.check_room()
        if caller and caller.name != self.caller:
            self.streams.check(caller)
        self._uncount()
        self.is_identified = True
        self.streams.identified += 1
        if caller:
            self.caller = caller.name
            self.streams.held[caller.name] += 1

    def close(self) -> None:
        """Gives up its place. Idempotent."""
        self._uncount()
        self.streams.open.pop(self, None)

    def _uncount(self) -> None:
        if self.waiting:
            self.streams.unidentified.remove(self.waiting)
            self.waiting = None
        self.streams.identified -= self.is_identified
        self.is_identified = False
        held = self.streams.held
        if self.caller is not None:
            held[self.caller] -= 1
            if not held[self.caller]:
                del held[self.caller]
            self.caller = None

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
