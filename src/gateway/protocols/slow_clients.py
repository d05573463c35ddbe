"""Pace: whether a client takes what it is sent.

Who reads slowly gets everything in his own time. Who takes next to nothing while something waits
for him is given up, because what waits takes memory. What the system itself may hold back for a
connection is limited to `UNSENT` bytes: who reads slowly shall be told what is new, and not what
was in a buffer of megabytes.
"""

import asyncio
import fcntl
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

STALLED_SECONDS = 10.0
LEAST = 32 * 1024  # bytes to be taken in that time: what a poor mobile connection manages
UNSENT = 128 * 1024  # bytes of a connection that the system keeps beyond those on their way


class SlowClientDetector:
    """Calls `gone` when a client took too little of what waits in a transport, between `begin` and
    `end`. Where there is no transport that tells, everybody is gone after the time."""

    __slots__ = ("_gone", "_timer", "_transport", "_waiting")

    def __init__(self, transport: asyncio.Transport | None, gone: Callable[[], object]) -> None:
        self._transport = transport
        self._gone = gone
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = 0

    def begin(self) -> None:
        """From now on something waits to be taken."""
        self.end()
        self._waiting = self._size()
        self._timer = asyncio.get_running_loop().call_later(STALLED_SECONDS, self.look)

    def end(self) -> None:
        """Nothing waits any more, or nobody cares."""
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def look(self) -> None:
        """Whether the time was used. It is called when it is over."""
        if 0 <= self._waiting - self._size() < LEAST:
            self._gone()
        else:  # less waits now, or more has come, of which there is not much without reading
            self.begin()

    def _size(self) -> int:
        if self._transport is None:
            return 0
        return self._transport.get_write_buffer_size() + _held(self._transport)


def _held(transport: asyncio.Transport) -> int:
    """What the system holds of a connection, not sent yet or not acknowledged (tcp(7), SIOCOUTQ).
    Without it, what is taken would show only when there is room for more, in large steps."""
    connection = transport.get_extra_info("socket")
    if connection is None or (descriptor := connection.fileno()) < 0:  # closed
        return 0
    with suppress(OSError):
        size = fcntl.ioctl(descriptor, termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(size, sys.byteorder)
    return 0
