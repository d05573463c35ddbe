"""Keep-alive: how long a connection may wait for its next request."""

import asyncio
from collections.abc import Callable


class KeepAlive:
    """Closes a connection that waits for `seconds`, between `begin` and `end`.

    The timer runs on while requests come: to start and to stop one for each request takes longer
    than to look at the time when it is due.
    """

    __slots__ = ("_close", "_loop", "_seconds", "_timer", "_until")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, close: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._seconds = seconds
        self._close = close
        self._until: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_waiting(self) -> bool:
        return self._until is not None

    def begin(self) -> None:
        self._until = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(self._until, self._due)

    def end(self) -> None:
        self._until = None

    def stop(self) -> None:
        """The connection is closed, or belongs to another protocol now."""
        self._until = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._timer = None
        if self._until is None:
            return
        if self._loop.time() < self._until:
            self._timer = self._loop.call_at(self._until, self._due)
        else:
            self._close()
