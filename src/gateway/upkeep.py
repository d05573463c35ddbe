"""Upkeep: what the gateway does for its database while it runs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import structlog

from db import Database, feeds
from db.core import partition

DAY_SECONDS = 24 * 60 * 60
AGAIN_SECONDS = 60  # after a failure
FOR_EVER: Mapping[str, timedelta] = {}

log = structlog.get_logger()


@asynccontextmanager
async def upkeep(
    database: Database, keep: Mapping[str, timedelta] = FOR_EVER
) -> AsyncIterator[None]:
    """Keeps the months ahead partitioned, on entering and daily as long as the context lasts, and
    daily lets go of what is older than `keep` says, by the names of feeds."""
    worked = await partition_ahead(database)
    task = asyncio.create_task(_daily(database, keep, worked))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _daily(database: Database, keep: Mapping[str, timedelta], worked: bool) -> None:
    while True:
        worked = await expire(database, keep) and worked
        await asyncio.sleep(DAY_SECONDS if worked else AGAIN_SECONDS)
        worked = await partition_ahead(database)


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
