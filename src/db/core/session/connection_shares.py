"""Connection shares: how many connections of a pool each borrower may hold, and which is next.

The rule is the dynamic threshold of shared buffers (Choudhury and Hahne, 1998): a borrower may hold
as many connections as are free for others. A single caller gets half of the pool, two get a third
each, and a new one still gets connections. One operation, of all its callers, gets half as much, so
that a query that hangs on a locked table leaves connections for others. A fifth of the pool is
reserved for the gateway itself. Of the rest, anonymous callers share half, since one of them may
use many networks.
"""

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from typing import NamedTuple

from db.core.errors import Throttled, Unavailable

WAIT_SECONDS = 4  # more than a statement waits for a lock, after which its connection is free
NARROW_SECONDS = 1.0  # before opening more connections after the server refused one

BUSY = "All database connections are in use; retry in a moment."


class Borrower(NamedTuple):
    """A caller of the API and its operation, or, without one, a part of the gateway. Anonymous
    callers are not `known`."""

    name: str
    operation: str | None = None
    known: bool = True


class Limiter:
    """Slots for the connections of one pool. A slot is acquired before a connection; a free slot
    goes to the waiting borrower with the fewest."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self.held_by_callers = 0
        self.held_by_anonymous = 0
        self.names: Counter[str] = Counter()
        self.operations: Counter[str] = Counter()
        self._waiting: dict[Borrower, deque[asyncio.Future[None]]] = {}
        self._narrow, self._narrow_until = size, 0.0

    @property
    def limit(self) -> int:
        """The number of slots; for a while less than `size` after the server refused one."""
        return self.size if time.monotonic() >= self._narrow_until else self._narrow

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def acquire(self, borrower: Borrower) -> None:
        """Raises Throttled or Unavailable if no slot is free in time."""
        if borrower not in self._waiting and self._admits(borrower):
            self._take(borrower)
            return
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._turn(borrower)
        except TimeoutError:
            raise self._refusal(borrower) from None

    def release(self, borrower: Borrower) -> None:
        self.held -= 1
        _uncount(self.names, borrower.name)
        if borrower.operation is not None:
            self.held_by_callers -= 1
            self.held_by_anonymous -= not borrower.known
            _uncount(self.operations, borrower.operation)
        self._serve()

    def narrow(self) -> bool:
        """Limit the slots to the open connections, since the server refuses more. False if there
        is no other connection to wait for."""
        if self.held > 1:
            self._narrow, self._narrow_until = self.held - 1, time.monotonic() + NARROW_SECONDS
        return self.held > 1

    def _free(self, borrower: Borrower) -> int:
        limit = self.limit
        if borrower.operation is None:
            return limit - self.held
        callers = limit - (limit // 5 or min(limit - 1, 1))
        free = min(limit - self.held, callers - self.held_by_callers)
        return free if borrower.known else min(free, (callers + 1) // 2 - self.held_by_anonymous)

    def _admits(self, borrower: Borrower) -> bool:
        free, holds = self._free(borrower), self.names[borrower.name]
        if borrower.operation is None:
            return 0 < free >= holds
        return holds < free > 2 * self.operations[borrower.operation]

    def _take(self, borrower: Borrower) -> None:
        self.held += 1
        self.names[borrower.name] += 1
        if borrower.operation is not None:
            self.held_by_callers += 1
            self.held_by_anonymous += not borrower.known
            self.operations[borrower.operation] += 1

    async def _turn(self, borrower: Borrower) -> None:
        slot = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(borrower, deque()).append(slot)
        try:
            await slot
        except BaseException:
            if slot.cancelled():
                self._leave(borrower, slot)
            else:  # granted while being cancelled
                self.release(borrower)
            raise

    def _leave(self, borrower: Borrower, slot: asyncio.Future[None]) -> None:
        queue = self._waiting.get(borrower, deque())
        with suppress(ValueError):
            queue.remove(slot)
        if not queue:
            self._waiting.pop(borrower, None)

    def _serve(self) -> None:
        while admitted := [each for each in self._waiting if self._admits(each)]:
            borrower = min(admitted, key=lambda each: self.names[each.name])
            queue = self._waiting.pop(borrower)
            slot = queue.popleft()
            if queue:
                self._waiting[borrower] = queue  # at the end, behind borrowers with as few slots
            if not slot.done():
                self._take(borrower)
                slot.set_result(None)

    def _refusal(self, borrower: Borrower) -> Unavailable:
        free = self._free(borrower)
        own = borrower.operation is not None and 0 < free <= self.names[borrower.name]
        return Throttled() if own else Unavailable(BUSY)


def _uncount(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
