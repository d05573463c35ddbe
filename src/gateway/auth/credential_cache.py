"""Credential cache: values read within the last seconds."""

import math
import time
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from typing import Generic, TypeVar

READ_PATIENCE = 0.5  # seconds; a connection that hangs must not block all sign-ins

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Clock = Callable[[], float]
Read = Callable[[Collection[K]], Awaitable[Mapping[K, V]]]


class TTLCache(Generic[K, V]):
    """At most `size` values by key; the least recently used is evicted first. A value is valid for
    `seconds` after its read began. Absent keys are cached separately, so that they evict no
    value."""

    def __init__(
        self, read: Read[K, V], seconds: float, size: int, clock: Clock = time.monotonic
    ) -> None:
        self.read = read
        self.seconds = seconds
        self.size = size
        self.clock = clock
        self.entries: dict[K, tuple[V, float]] = {}
        self.absent: dict[K, float] = {}
        self.generation = 0

    async def get(self, key: K) -> V | None:
        now = self.clock()
        if self.absent.get(key, -math.inf) > now:
            return None
        kept = self.entries.pop(key, None)
        if kept is None or kept[1] <= now:
            return (await self._read([key]))[key]
        self.entries[key] = kept
        return kept[0]

    def until(self, key: K) -> float:
        """When the value of a key is read again."""
        kept = self.entries.get(key)
        return kept[1] if kept else -math.inf

    async def refresh(self, keys: Collection[K]) -> None:
        """Read these keys again in one batch. Raises what `read` raises."""
        if keys:
            await self._read(keys)

    def forget_absent(self) -> None:
        self.absent.clear()
        self.generation += 1

    async def _read(self, keys: Collection[K]) -> dict[K, V | None]:
        until, generation = self.clock() + self.seconds, self.generation
        found = await self.read(keys)
        for key in keys:
            self.entries.pop(key, None)
            self.absent.pop(key, None)
            if (value := found.get(key)) is not None:
                self.entries[key] = value, until
            elif generation == self.generation:
                self.absent[key] = until
        self._shrink(self.entries)
        self._shrink(self.absent)
        return {key: found.get(key) for key in keys}

    def _shrink(self, kept: dict[K, tuple[V, float]] | dict[K, float]) -> None:
        while len(kept) > self.size:
            del kept[next(iter(kept))]
