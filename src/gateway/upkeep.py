"""Upkeep: what the gateway does for its database while it runs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from db import Database, feeds, reports
from db.core import partition

DAY_SECONDS = 24 * 60 * 60
AGAIN_SECONDS = 60  # after a failure
LOOK_SECONDS = 5  # between two looks after silent agents
GRACE_SECONDS = 3  # for work that is under way when we stop
FOR_EVER: Mapping[str, timedelta] = {}

log = structlog.get_logger()


@asynccontextmanager
async def upkeep(
    database: Database, keep: Mapping[str, timedelta] = FOR_EVER
) -> AsyncIterator[None]:
    """Keeps the months ahead partitioned, on entering and daily as long as the context lasts, and
    daily lets go of what is older than `keep` says, by the names of feeds. Signs off agents that
    are silent for long."""
    worked = await partition_ahead(database)
    stopping = asyncio.Event()
    works = _daily(database, keep, worked, stopping), _look(database, stopping)
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        stopping.set()
        await asyncio.wait(tasks, timeout=GRACE_SECONDS)
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _daily(
    database: Database, keep: Mapping[str, timedelta], worked: bool, stopping: asyncio.Event
) -> None:
    while not stopping.is_set():
        worked = await expire(database, keep) and worked
        await _rest(stopping, DAY_SECONDS if worked else AGAIN_SECONDS)
        worked = stopping.is_set() or await partition_ahead(database)


async def _look(database: Database, stopping: asyncio.Event) -> None:
    """Looks after silent agents; not at once, since no agent could report while nobody served."""
    await _rest(stopping, LOOK_SECONDS)
    while not stopping.is_set():
        await sign_off(database)
        await _rest(stopping, LOOK_SECONDS)


async def _rest(stopping: asyncio.Event, seconds: float) -> None:
    """Returns after so many seconds, or when it is time to stop."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stopping.wait()


async def sign_off(database: Database) -> None:
    """Notes which agents are silent for so long that they are OFFLINE; a failure is logged."""
    try:
        gone = await reports.sign_off(database)
    except Exception as error:
        log.warning("agents could not be signed off", error=repr(error)[:300])
        return
    if gone:
        log.info("agents signed off", count=gone)


async def partition_ahead(database: Database) -> bool:
    """Whether it worked: what goes wrong today must not end the upkeep of tomorrow."""
    try:
        made = await partition.ahead(database)
    except Exception:
        log.exception("partitions could not be made ahead")
        return False
    if made:
        log.info("partitions made ahead", count=len(made))
    return True


async def expire(database: Database, keep: Mapping[str, timedelta]) -> bool:
    """Whether it worked, as above."""
    try:
        gone = await feeds.expire(database, keep)
    except Exception:
        log.exception("what is too old could not be taken away")
        return False
    if any(gone.values()):
        log.info("what is too old was taken away", **gone)
    return True
