"""Turns: work that takes milliseconds, one piece in each turn of the event loop.

What is ready at once would otherwise hold the only thread as long as all of it takes together.
"""

import asyncio
from collections import deque


class Turns:
    """One turn of the event loop for each that waits; callers alternate."""

    def __init__(self) -> None:
        self.waiting: dict[str, deque[asyncio.Future[None]]] = {}

    async def next(self, caller: str) -> None:
        """Returns in the caller's turn; the one after it is after the work that this one sets off
        and whatever else is ready by then."""
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
