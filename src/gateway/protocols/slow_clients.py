"""Slow clients: disconnect a client that does not read what it is sent.

A slow client gets every byte in its own time. A client that reads almost nothing while bytes wait
is disconnected, because they take memory. `UNSENT` bounds the bytes in the buffer of the kernel, so
that a slow client gets recent messages and not megabytes of old ones.
"""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

LARGE = 64 * 1024  # bytes; a larger body may wait for its client
STALLED_SECONDS = 10.0
LEAST = 32 * 1024  # bytes to be read in that time; a poor mobile connection manages them
UNSENT = 128 * 1024  # bytes that the kernel buffers for a connection, besides those in flight


class SlowClientDetector:
    """Calls `gone` if a client reads too little of a transport's buffer between `begin` and `end`.
    Without a transport, it is called after the time."""

    __slots__ = ("_gone", "_timer", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport | None, gone: Callable[[], object]) -> None:
        self._transport = transport
        self._gone = gone
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0

    def begin(self) -> None:
        self.end()
        self._waiting = self._size()
        self._timer = asyncio.get_running_loop().call_later(STALLED_SECONDS, self.look)

    def end(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        if 0 <= self._waiting - self._size() < LEAST:
            self._gone()
        else:  # less waits now, or more has come, of which there is not much without reading
            self.begin()

    def _size(self) -> int:
        if self._transport is None:
            return 0
        return self._transport.get_write_buffer_size() + _held(self._transport)


def _held(transport: asyncio.Transport) -> int:
    """Bytes in the kernel's buffer, unsent or unacknowledged (tcp(7), SIOCOUTQ). Without them,
    progress would show in large steps only."""
    connection = transport.get_extra_info("socket")
    if connection is None or (descriptor := connection.fileno()) < 0:  # closed
        return 0
    with suppress(OSError):
        size = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(size, sys.byteorder)
    return 0
