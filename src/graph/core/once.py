"""Once: await one result in several places."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


def once(read: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """`read` as a function that reads at its first call; further calls await the same result."""
    task: asyncio.Task[T] | None = None

    def result() -> Awaitable[T]:
        nonlocal task
        task = task or asyncio.ensure_future(read())
        return task

    return result
