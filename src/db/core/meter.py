"""Meter: how many bytes an operation reads from the database.

Rows are counted as they arrive, by the connection, and the connection is broken off when they are
too many: a page of large texts is not held in memory only to find that it is too large.
"""

import asyncio
from typing import Any

from db.core.errors import TooLarge

METERED = "metered"  # the name in the `info` of a connection
MESSAGE = "The operation reads more than {:,} bytes: ask for smaller pages."


class Meter:
    """The bytes that one operation has read, of at most `most`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.read = 0

    @property
    def is_over(self) -> bool:
        """Whether they are too many."""
        return self.read > self.most

    def check(self) -> None:
        """Raises TooLarge."""
        if self.is_over:
            raise TooLarge(MESSAGE.format(self.most))


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
            self.meter.read += len(data)
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
