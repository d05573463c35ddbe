"""Periodic: works that are repeated while the process runs, even after failures."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from db.core.errors import Unavailable

GRACE_SECONDS = 3  # for work in progress at the stop

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Work:
    """`failure` is logged if `run` raises."""

    run: Callable[[], Awaitable[None]]
    failure: str

    async def attempt(self) -> bool:
        """Run; return whether it succeeded. Failures are logged, so that schedules continue."""
        try:
            await self.run()
        except Unavailable as error:
            log.warning(self.failure, error=str(error))
        except Exception:
            log.exception(self.failure)
        else:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Schedule:
    """Works in their order, repeated after `seconds`. They begin after `first` seconds, or at once
    if that is 0, and are repeated after `retry` seconds if one of them failed; both are `seconds`
    if left out."""

    seconds: float
    works: Sequence[Work]
    first: float | None = None
    retry: float | None = None

    async def repeat(self, stopping: asyncio.Event) -> None:
        retry = self.seconds if self.retry is None else self.retry
        first = self.seconds if self.first is None else self.first
        if first > 0:
            await _wait(stopping, first)
        while not stopping.is_set():
            succeeded = [await work.attempt() for work in self.works]
            await _wait(stopping, self.seconds if all(succeeded) else retry)


@asynccontextmanager
async def running(schedules: Sequence[Schedule]) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    tasks = [asyncio.create_task(schedule.repeat(stopping)) for schedule in schedules]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _wait(stopping: asyncio.Event, seconds: float) -> None:
    """Until the stop, at most."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()
