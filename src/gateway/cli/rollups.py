"""Rollups: verify and rebuild them, for `dreamnet doctor`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from db import Database, rollups
from db.core.connections.url import ConnectionInfo
from db.core.rollup.verification import Verified
from db.core.timeouts import Timeouts
from gateway.process.database import database_url
from gateway.settings import Settings

STATEMENT_SECONDS = 600.0

T = TypeVar("T")


def verify(url: ConnectionInfo) -> list[Verified]:
    return asyncio.run(_with_database(url, rollups.verify))


def rebuild(settings: Settings) -> None:
    """Raises CommandFailed."""
    with database_url(settings) as url:
        asyncio.run(_with_database(url, rollups.rebuild))


async def _with_database(url: ConnectionInfo, work: Callable[[Database], Awaitable[T]]) -> T:
    database = Database(url, pool_size=1, timeouts=Timeouts(other=STATEMENT_SECONDS))
    try:
        return await work(database)
    finally:
        await database.close()
