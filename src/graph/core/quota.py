"""Quota: the points that a caller can spend per minute."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from graph.core.budget import MINUTE, Budget

LEASES = 60  # of the limit, a minute


@dataclass(frozen=True, slots=True)
class Balance:
    """The remaining points, and when the full limit is available again."""

    limit: int
    remaining: int
    reset_at: datetime


@dataclass(slots=True)
class Account:
    """The account of one caller: `limit` points per minute.

    Points are taken from the budget in leases, so that an operation mostly decrements a number.
    What is left of a lease is the caller's at any later time: up to a sixtieth of the limit.
    """

    budget: Budget
    caller: str
    limit: int
    leased: int = 0

    async def has(self, points: int) -> bool:
        missing = points - self.leased
        return missing <= 0 or await self.budget.has(self.caller, self.limit, missing)

    def take_leased(self, points: int, at_least: int = 0) -> bool:
        """Spend points that are leased, if there are so many, and `at_least` as many."""
        if max(points, at_least) > self.leased:
            return False
        self.leased -= points
        return True

    def give_back(self, points: int) -> None:
        self.leased += points

    async def take(self, points: int) -> bool:
        """Spend points. If they are not available, spend none and return False."""
        if points > self.leased and not await self._lease(points - self.leased):
            return False
        self.leased -= points
        return True

    async def _lease(self, missing: int) -> bool:
        """Add at least the missing points to those leased. An operation that starts meanwhile does
        not find them."""
        had, self.leased = self.leased, 0
        for points in dict.fromkeys((max(missing, self.limit // LEASES), missing)):
            if await self.budget.spend(self.caller, self.limit, points):
                self.leased += had + points
                return True
        self.leased += had
        return False

    async def balance(self) -> Balance:
        before, fading, spent, until = await self.budget.spent(self.caller, self.limit)
        remaining = max(0, self.limit - int(before * fading / MINUTE + spent) + self.leased)
        seconds = until if spent else fading
        return Balance(self.limit, remaining, datetime.fromtimestamp(time.time() + seconds, UTC))

    async def wait(self, points: int) -> float:
        before, fading, spent, until = await self.budget.spent(self.caller, self.limit)
        left = self.limit - max(0, points - self.leased)
        if before and spent <= left:
            return max(0.0, fading - (left - spent) * MINUTE / before)
        return max(0.0, until - left * MINUTE / spent) if spent else 0.0
