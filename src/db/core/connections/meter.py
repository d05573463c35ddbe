"""Meter: how many bytes an operation takes up, as they come.

Rows are counted as they arrive over the connection, which is broken off when they are too many: a
page of large texts is not held in memory only to find that it is too large.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from db.core.errors import Crowded, TooLarge

METERED = "metered"  # the name in the `info` of a connection
READS = "The operation reads more than {:,} bytes: ask for smaller pages."
STEP = 256 * 1024  # bytes that are claimed at once; what takes up less claims nothing

Claim = Callable[[int], bool]


class Meter:
    """The bytes that one operation takes up, of at most `most`. `claim` takes room for more of
    them, or says that there is none; `message` is what is said of too many."""

    def __init__(self, most: int, message: str = READS, claim: Claim | None = None) -> None:
        self.most = most
        self.message = message
        self.claim = claim
        self.bytes = 0
        self.claimed = STEP
        self.is_crowded = False

    @property
    def is_over(self) -> bool:
        """Whether they are too many, or there is no room for them."""
        return self.bytes > self.most or self.is_crowded

    def add(self, count: int) -> None:
        """Counts more bytes."""
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
    """The protocol of a connection, which counts what arrives on the meter of its borrower."""

    def __init__(self, driver: Any) -> None:
        """Takes the place of asyncpg's own, which has no way to bound a result."""
        self.transport: asyncio.Transport = driver._transport
        self.inner: Any = driver._protocol
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
