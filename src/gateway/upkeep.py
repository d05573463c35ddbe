"""Upkeep: what the gateway does for its database while it runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog

from db import Database
from db.core import partition

DAY_SECONDS = 24 * 60 * 60
AGAIN_SECONDS = 60  # after a failure

log = structlog.get_logger()


@asynccontextmanager
async def upkeep(database: Database) -> AsyncIterator[None]:
    """Keeps the months ahead partitioned: on entering, and daily as long as the context lasts."""
    worked = await partition_ahead(database)
    task = asyncio.create_task(_partition_daily(database, worked))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _partition_daily(database: Database, worked: bool) -> None:
    while True:
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
