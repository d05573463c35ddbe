"""Admission: room for request bodies, shared among callers, and turns for large ones.

A body is counted for its caller as it arrives, and until it is answered. A caller may hold as many
bytes as are free for others (the dynamic threshold of Choudhury and Hahne, 1998), so one caller,
however many connections it has, leaves room for everybody else. Anonymous clients have a room of
their own.

Making sense of a request holds the only thread for milliseconds. So all but short ones begin one
per turn of the event loop, and callers alternate.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from db.core.turns import Turns
from gateway.callers import DEVELOPERS, Caller
from gateway.errors import RETRY, Refused

LARGE = 8 * 1024  # bytes of a body; smaller ones are not counted
SHORT = 512  # bytes of a request that is too little work to wait for a turn
LARGEST = 4  # as many of the largest bodies find room at once

FULL = "You send more at once than there is room for; try again later."


class Admission:
    """The room for bodies of at most `max_body_bytes`, and the turns of all requests."""

    def __init__(self, max_body_bytes: int, turns: Turns) -> None:
        self.known = Room(LARGEST * max_body_bytes)
        self.anonymous = Room(LARGEST * max_body_bytes)
        self.turns = turns

    @contextmanager
    def body(self, caller: Caller | None) -> Iterator["Body"]:
        """The body of one request, which is counted within the context."""
        name, known = caller or Caller(DEVELOPERS, known=True)
        body = Body(name, self.known if known else self.anonymous, self.turns)
        try:
            yield body
        finally:
            body.release()


class Room:
    """Bytes that callers share."""

    def __init__(self, size: int) -> None:
        self.free = size
        self.held: Counter[str] = Counter()

    def take(self, caller: str, count: int) -> bool:
        """Counts bytes for a caller. False, and none is counted, where that is too much."""
        if self.held[caller] + count > self.free:
            return False
        self.held[caller] += count
        self.free -= count
        return True

    def release(self, caller: str, count: int) -> None:
        """Gives bytes back."""
        self.free += count
        self.held[caller] -= count
        if not self.held[caller]:
            del self.held[caller]


class Body:
    """A request body that arrives."""

    def __init__(self, caller: str, room: Room, turns: Turns) -> None:
        self.caller = caller
        self.room = room
        self.turns = turns
        self.content = bytearray()
        self.counted = 0

    def __len__(self) -> int:
        return len(self.content)

    def add(self, chunk: bytes) -> None:
        """Takes a part that has arrived. Raises Refused where there is no room."""
        self.content += chunk
        more = len(self.content) - self.counted
        if len(self.content) < LARGE or not more:
            return
        if not self.room.take(self.caller, more):
            raise Refused(FULL, 429, "RATE_LIMITED", RETRY)
        self.counted += more

    async def whole(self) -> bytes:
        """The content, in its turn unless it is short."""
        if len(self.content) > SHORT:
            await self.turns.next(self.caller)
        return bytes(self.content)

    def release(self) -> None:
        """Gives up its room."""
        self.content.clear()
        self.room.release(self.caller, self.counted)
        self.counted = 0
