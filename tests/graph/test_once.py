"""Once: one read for all who await it."""

import asyncio

import pytest

from graph.core.once import once


class Read:
    """A read that ends when it may."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.began = self.cancelled = 0

    async def __call__(self) -> str:
        self.began += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return "found"


async def started(*calls: asyncio.Task[str]) -> None:
    for _ in calls:
        await asyncio.sleep(0)


async def test_a_cancelled_call_leaves_the_others_their_result() -> None:
    read = Read()
    result = once(read)
    first, second = (asyncio.ensure_future(result()) for _ in range(2))
    await started(first, second)
    first.cancel()
    await asyncio.wait({first})
    read.may_end.set()
    assert await second == "found"
    assert await result() == "found"
    assert (first.cancelled(), read.began, read.cancelled) == (True, 1, 0)


async def test_the_last_call_that_is_cancelled_ends_the_read() -> None:
    read = Read()
    result = once(read)
    calls = [asyncio.ensure_future(result()) for _ in range(2)]
    await started(*calls)
    for call in calls:
        call.cancel()
    await asyncio.wait(calls)
    await asyncio.sleep(0)
    assert (read.began, read.cancelled) == (1, 1)
    read.may_end.set()
    assert await result() == "found"


async def test_all_calls_raise_what_the_read_raises() -> None:
    async def fail() -> str:
        raise ZeroDivisionError

    result = once(fail)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await result()
