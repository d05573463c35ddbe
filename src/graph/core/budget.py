"""Budget: the points that callers spent recently, in this process or in a server that processes
share.

A sliding window of two counters per caller: the current minute, and the previous one with
decreasing weight. While a shared server does not answer, each process counts for itself, against
its share of the limits. It also counts what the server granted, so that a caller who has spent its
points does not get them again when the server is away.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar, cast

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage.base import SlidingWindowCounterSupport, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

MEMORY = "async+memory://"
MINUTE = 60
ANSWER_SECONDS = 0.05
AGAIN_SECONDS = 1.0  # until a server that did not answer is asked again

T = TypeVar("T")

log = structlog.get_logger()


class Spent(NamedTuple):
    """Points of the previous minute, and seconds until they count no more; the same for the current
    minute."""

    before: int
    fading: float
    now: int
    until: float


class Counters:
    """The counters of one storage. Raises ConfigurationError if it is not installed, and
    NotImplementedError if it has no sliding windows."""

    def __init__(self, storage: str) -> None:
        stored = storage_from_string(storage)
        self.window = SlidingWindowCounterRateLimiter(stored)
        self.storage = cast("SlidingWindowCounterSupport", stored)
        own = cast("Storage", stored).base_exceptions
        several = own if isinstance(own, tuple) else (own,)
        self.errors: tuple[type[Exception], ...] = (TimeoutError, OSError, *several)

    async def close(self) -> None:
        """Close the connections to a server, which the library leaves open."""
        if bridge := getattr(self.storage, "bridge", None):
            await bridge.storage.aclose()

    async def has(self, caller: str, limit: int, points: int) -> bool:
        return await self.window.test(_item(limit), caller, cost=points)

    async def spend(self, caller: str, limit: int, points: int) -> bool:
        return await self.window.hit(_item(limit), caller, cost=points)

    async def spent(self, caller: str, limit: int) -> Spent:
        key = _item(limit).key_for(caller)
        return Spent(*await self.storage.get_sliding_window(key, MINUTE))


class Budget:
    """What all callers spent. `processes` share the storage."""

    def __init__(self, storage: str = MEMORY, processes: int = 1) -> None:
        self.shared = Counters(storage)
        self.own = self.shared if storage == MEMORY else Counters(MEMORY)
        self.processes = processes
        self.refused = 0  # operations and documents for lack of points
        self.is_away = False
        self.again = 0.0

    async def close(self) -> None:
        await self.shared.close()

    async def has(self, caller: str, limit: int, points: int) -> bool:
        return await self._ask(limit, lambda counters, most: counters.has(caller, most, points))

    async def spend(self, caller: str, limit: int, points: int) -> bool:
        """Whether so many points were left, and are now spent."""
        granted = await self._ask(
            limit, lambda counters, most: counters.spend(caller, most, points)
        )
        if granted and not self.is_away and self.own is not self.shared:
            await self.own.spend(caller, self._share(limit), points)
        return granted

    async def spent(self, caller: str, limit: int) -> Spent:
        return await self._ask(limit, lambda counters, most: counters.spent(caller, most))

    async def _ask(self, limit: int, question: Callable[[Counters, int], Awaitable[T]]) -> T:
        if self.own is self.shared:
            return await question(self.own, limit)
        if not self.is_away or time.monotonic() >= self.again:
            self.again = time.monotonic() + AGAIN_SECONDS
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await question(self.shared, limit)
            except self.shared.errors as error:
                self._note(is_away=True, reason=type(error).__name__)
            else:
                self._note(is_away=False)
                return answer
        return await question(self.own, self._share(limit))

    def _share(self, limit: int) -> int:
        return max(1, limit // self.processes)

    def _note(self, *, is_away: bool, **facts: str) -> None:
        if is_away and not self.is_away:
            log.warning("the storage of budgets does not answer: each process counts", **facts)
        elif self.is_away and not is_away:
            log.info("the storage of budgets answers again")
        self.is_away = is_away


def _item(limit: int) -> RateLimitItemPerMinute:
    return RateLimitItemPerMinute(limit, namespace="dreamnet")
