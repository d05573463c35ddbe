"""Waiting: for conditions that become true soon.

Waiting ends after a number of steps, not after a time, so that a busy machine does not fail a test.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from inspect import isawaitable
from typing import Any

STEPS = 120
STEP_SECONDS = 0.5
LOOK_SECONDS = 0.005


@asynccontextmanager
async def patience() -> AsyncIterator[None]:
    """Limit the time of the context to a minute, or more on a busy machine. Then it raises
    TimeoutError, with the stack of every task of the event loop."""
    scope = asyncio.timeout(None)
    ending = asyncio.create_task(_end(scope))
    try:
        async with scope:
            yield
    except TimeoutError as error:
        if scope.expired():
            error.add_note(await ending)
        raise
    finally:
        ending.cancel()


async def until(condition: Callable[[], Any]) -> None:
    """Return when a condition holds; it may be asynchronous."""
    async with patience():
        while True:
            met = condition()
            if await met if isawaitable(met) else met:
                return
            await asyncio.sleep(LOOK_SECONDS)


async def _end(scope: asyncio.Timeout) -> str:
    for _ in range(STEPS):
        await asyncio.sleep(STEP_SECONDS)
    received = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(limit=5, file=received)
    scope.reschedule(asyncio.get_running_loop().time())
    return received.getvalue()
