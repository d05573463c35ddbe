"""Recent: what was read of late, so that it is not read again for each request."""

import math
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Clock = Callable[[], float]
Read = Callable[[Collection[K]], Awaitable[Mapping[K, V]]]


class Recent(Generic[K, V]):
    """At most `size` values by key, the least recently used forgotten first; each counts for some
    seconds from the moment its reading began, absent ones (None) too. `read` finds those of some
    keys that there are."""

    def __init__(
        self, read: Read[K, V], seconds: float, size: int, clock: Clock = time.monotonic
    ) -> None:
        self.read = read
        self.seconds = seconds
        self.size = size
        self.clock = clock
        self.entries: dict[K, tuple[V | None, float]] = {}

    async def get(self, key: K) -> V | None:
        """The value of a key, read unless it is recent. Raises what `read` raises."""
        value, until = self.entries.pop(key, (None, -math.inf))
        if until <= self.clock():
            return (await self._read([key]))[key]
        self.entries[key] = value, until
        return value

    async def renew(self, keys: Collection[K]) -> None:
        """Reads the values of all these together, recent or not. Raises what `read` raises."""
        if keys:
            await self._read(keys)

    async def _read(self, keys: Collection[K]) -> dict[K, V | None]:
        until = self.clock() + self.seconds
        found = await self.read(keys)
        values = {key: found.get(key) for key in keys}
        for key, value in values.items():
            self.entries.pop(key, None)
            self.entries[key] = value, until
        while len(self.entries) > self.size:
            del self.entries[next(iter(self.entries))]
        return values
