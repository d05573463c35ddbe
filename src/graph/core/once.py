"""Once: await one result in several places."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def once(read: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """`read` as a function that reads at its first call; further calls await the same result. A
    call that is cancelled leaves the others their result; the last one ends the read."""
    task: asyncio.Future[T] | None = None
    waiting = 0

    async def result() -> T:
        nonlocal task, waiting
        reading = task = task or asyncio.ensure_future(read())
        waiting += 1
        try:
            return await asyncio.shield(reading)
        finally:
            waiting -= 1
            if not waiting and not reading.done():
                reading.cancel()
                task = None

    return result
