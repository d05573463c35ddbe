"""Waiting: for what comes soon, but nobody can say when.

A test that waits gives up some time, or it would hang. It counts its own steps and not the clock:
a machine that is busy or stands still for a while has used up nobody's patience.
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
    """Whatever is done inside has a minute, more on a machine that is busy. Raises TimeoutError
    then, which tells what every task of the event loop was waiting for."""
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
    """Return when a condition holds that nobody announces; it may have to be awaited."""
    async with patience():
        while True:
            met = condition()
            if await met if isawaitable(met) else met:
                return
            await asyncio.sleep(LOOK_SECONDS)


async def _end(scope: asyncio.Timeout) -> str:
    for _ in range(STEPS):
        await asyncio.sleep(STEP_SECONDS)
    told = io.StringIO()
    for task in asyncio.all_tasks():
        task.print_stack(limit=5, file=told)
    scope.reschedule(asyncio.get_running_loop().time())
    return told.getvalue()
