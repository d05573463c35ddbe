"""Turns: work that takes milliseconds, one piece per iteration of the event loop.

Otherwise tasks that become ready together would block the loop for the sum of their times.
"""

import asyncio
import time
from collections import deque

PIECE_SECONDS = 0.005  # of one task, before others run


class Piecewise:
    """Work of one task on many items, in pieces: `pause` between two items lets other tasks run
    when a piece has taken long enough."""

    def __init__(self) -> None:
        self.began = time.perf_counter()

    async def pause(self) -> None:
        if time.perf_counter() - self.began >= PIECE_SECONDS:
            await asyncio.sleep(0)
            self.began = time.perf_counter()


class Turns:
    """One iteration of the event loop for each waiting task; callers alternate."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def next(self, caller: str) -> None:
        """Return in the caller's turn. The next turn follows after the work started in this one
        and other ready tasks."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        if not self.waiting:
            loop.call_soon(self._grant)
        self.waiting.setdefault(caller, deque()).append(turn)
        await turn

    def _grant(self) -> None:
        caller = next(iter(self.waiting))
        queue = self.waiting.pop(caller)
        turn = queue.popleft()
        if queue:
            self.waiting[caller] = queue  # behind the others
        if not turn.done():
            turn.set_result(None)
        if self.waiting:
            asyncio.get_running_loop().call_soon(self._grant)
