"""Admission: memory for request bodies, and turns for all but short requests.

A body is counted for its client from its first byte until the response.

Parsing a request holds the only thread for milliseconds. So all but short requests are parsed one
per turn of the event loop, and clients alternate.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from db.core.turns import Turns
from gateway.errors import RETRY, HttpError
from gateway.transport.memory_shares import Claim, Rooms
from graph.core.principal import Client

LARGE = 8 * 1024  # bytes of a body; smaller ones are not counted
SHORT = 512  # bytes of a request that is too little work to wait for a turn
LARGEST = 4  # as many of the largest bodies find room at once

FULL = "Your requests in progress use all memory available to you; retry later."


class Admission:
    def __init__(self, max_body_bytes: int, turns: Turns) -> None:
        self.rooms = Rooms(LARGEST * max_body_bytes)
        self.turns = turns

    @contextmanager
    def body(self, client: Client) -> Iterator["Body"]:
        body = Body(self.rooms.claim(client), self.turns)
        try:
            yield body
        finally:
            body.release()


class Body:
    """A request body in arrival."""

    def __init__(self, claim: Claim, turns: Turns) -> None:
        self.claim = claim
        self.turns = turns
        self.content = bytearray()

    def __len__(self) -> int:
        return len(self.content)

    def add(self, chunk: bytes) -> None:
        """Append a chunk. Raises HttpError if there is no room."""
        self.content += chunk
        more = len(self.content) - self.claim.count
        if len(self.content) >= LARGE and not self.claim.take(more):
            raise HttpError(FULL, 429, headers=RETRY)

    async def whole(self) -> bytes:
        if len(self.content) > SHORT:
            await self.turns.next(self.claim.client)
        return bytes(self.content)

    def release(self) -> None:
        self.content.clear()
        self.claim.close()
