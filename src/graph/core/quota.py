"""Budget: how many points a caller may spend in a minute.

Two counters per caller, of this minute and of the one before, which counts less as time goes by.
They are kept where the storage's URI says: in this process, or in a server that processes share.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from limits import RateLimitItemPerMinute
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from limits.storage import storage_from_string

MEMORY = "async+memory://"
MINUTE = 60


class Budget:
    """The points that all callers have spent lately."""

    def __init__(self, storage: str = MEMORY) -> None:
        self.storage: Any = storage_from_string(storage)
        self.window = SlidingWindowCounterRateLimiter(self.storage)


@dataclass(frozen=True, slots=True)
class Balance:
    """What is left of the points of a minute, and when all of them are there again."""

    limit: int
    remaining: int
    reset_at: datetime


@dataclass(frozen=True, slots=True)
class Account:
    """One caller's part of a budget: `limit` points per minute."""

    budget: Budget
    caller: str
    limit: int

    @property
    def item(self) -> RateLimitItemPerMinute:
        return RateLimitItemPerMinute(self.limit, namespace="dreamnet")

    async def has(self, points: int) -> bool:
        """Whether that many points are there."""
        return await self.budget.window.test(self.item, self.caller, cost=points)

    async def take(self, points: int) -> bool:
        """Spends that many points; False, and none is spent, if they are not there."""
        return await self.budget.window.hit(self.item, self.caller, cost=points)

    async def balance(self) -> Balance:
        """What is left."""
        before, fading, spent, until = await self._counters()
        remaining = max(0, self.limit - int(before * fading / MINUTE + spent))
        seconds = until if spent else fading
        return Balance(self.limit, remaining, datetime.fromtimestamp(time.time() + seconds, UTC))

    async def wait(self, points: int) -> float:
        """The seconds until that many points are there, if nothing else is spent meanwhile."""
        before, fading, spent, until = await self._counters()
        left = self.limit - points
        if before and spent <= left:
            return max(0.0, fading - (left - spent) * MINUTE / before)
        return max(0.0, until - left * MINUTE / spent) if spent else 0.0

    async def _counters(self) -> tuple[int, float, int, float]:
        """Points of the minute before, seconds until they are forgotten; the same of this one."""
        counters: tuple[int, float, int, float] = await self.budget.storage.get_sliding_window(
            self.item.key_for(self.caller), MINUTE
        )
        return counters
