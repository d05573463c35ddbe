"""Recent: what was read of late, so that it is not read again for each request."""

import math
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Clock = Callable[[], float]


class Recent(Generic[K, V]):
    """At most `size` values by key, the least recently used forgotten first; each counts for some
    seconds from the moment its reading began, absent ones (None) too."""

    def __init__(self, seconds: float, size: int, clock: Clock = time.monotonic) -> None:
        self.seconds = seconds
        self.size = size
        self.clock = clock
        self.entries: dict[K, tuple[V | None, float]] = {}

    async def get(
        self, key: K, read: Callable[[K], Awaitable[V | None]], fresh: bool = False
    ) -> V | None:
        """The value of a key, read unless it is recent and need not be `fresh`. Raises what `read`
        raises."""
        now = self.clock()
        value, until = self.entries.pop(key, (None, -math.inf))
        if fresh or until <= now:
            value, until = await read(key), now + self.seconds
        self.entries[key] = value, until
        if len(self.entries) > self.size:
            del self.entries[next(iter(self.entries))]
        return value
