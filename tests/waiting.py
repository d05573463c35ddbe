"""Waiting: for what nobody announces."""

import asyncio
from collections.abc import Callable

SECONDS = 20


async def until(condition: Callable[[], bool]) -> None:
    """Returns when a condition holds; it has 20 seconds."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110  nobody announces it
            await asyncio.sleep(0.005)
