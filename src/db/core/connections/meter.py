"""Meter: the bytes that an operation reads, counted as they arrive.

The connection is aborted when there are too many, so that a result that is too large is never held
in memory.
"""

import asyncio
from collections.abc import Callable

from db.core.connections.pooler import DriverConnection
from db.core.errors import Crowded, TooLarge

METERED = "metered"  # key of the info of connections
READS = "The operation reads more than {:,} bytes: ask for smaller pages."
MAX_RESPONSE_BYTES = 16 * 1024 * 1024  # of one operation, by default
STEP = 256 * 1024  # bytes that are claimed at once, after the first so many

Claim = Callable[[int], bool]


class Meter:
    """The bytes of one operation, at most `most`. `claim` reserves memory for more of them and
    returns False if there is none. `message` is that of TooLarge."""

    def __init__(self, most: int, message: str = READS, claim: Claim | None = None) -> None:
        self.most = most
        self.message = message
        self.claim = claim
        self.bytes = 0
        self.claimed = STEP
        self.is_crowded = False

    @property
    def is_over(self) -> bool:
        return self.bytes > self.most or self.is_crowded

    def add(self, count: int) -> None:
        self.bytes += count
        if self.bytes > self.claimed and self.claim:
            more = max(STEP, self.bytes - self.claimed)
            self.is_crowded = self.is_crowded or not self.claim(more)
            self.claimed += more

    def check(self) -> None:
        """Raises TooLarge or Crowded."""
        if self.bytes > self.most:
            raise TooLarge(self.message.format(self.most))
        if self.is_crowded:
            raise Crowded(retry_after=1.0)


class Metered(asyncio.Protocol):
    """The protocol of a connection, with received bytes counted by the meter of its borrower."""

    def __init__(self, driver: DriverConnection) -> None:
        """Replace the protocol of asyncpg, which cannot limit a result."""
        self.transport: asyncio.Transport = driver._transport
        self.inner: DriverConnection = driver._protocol
        self.meter: Meter | None = None
        self.transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        if self.meter is not None:
            self.meter.add(len(data))
            if self.meter.is_over:
                self.transport.abort()
                return
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        ends: bool | None = self.inner.eof_received()
        return ends

    def connection_lost(self, exc: Exception | None) -> None:
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()
