"""Rollups: verify and rebuild them and the progress of dreams, for `dreamnet doctor`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db import Database, rollups
from db.core.connections.url import ConnectionInfo
from db.core.rollup.verification import Verified
from db.core.timeouts import Timeouts
from db.progress import of_dreams, pending
from gateway.process.database import database_url
from gateway.settings import Settings

STATEMENT_SECONDS = 600.0

T = TypeVar("T")


def verify(url: ConnectionInfo) -> list[Verified]:
    return asyncio.run(_with_database(url, rollups.verify))


def verify_progress(url: ConnectionInfo) -> int:
    """The number of dreams that do not show their newest progress log."""
    return asyncio.run(_with_database(url, of_dreams.differing))


def progress_waiting(url: ConnectionInfo) -> pending.Waiting:
    return asyncio.run(_with_database(url, pending.waiting))


def rebuild(settings: Settings) -> None:
    """Raises CommandFailed."""
    with database_url(settings) as url:
        asyncio.run(_with_database(url, rollups.rebuild))
        asyncio.run(_with_database(url, pending.work_off))
        asyncio.run(_with_database(url, of_dreams.keep))


async def _with_database(url: ConnectionInfo, work: Callable[[Database], Awaitable[T]]) -> T:
    database = Database(url, pool_size=1, timeouts=Timeouts(other=STATEMENT_SECONDS))
    try:
        return await work(database)
    finally:
        await database.close()
