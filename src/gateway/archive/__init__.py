"""Archive: old months as files in a folder or in a bucket."""

from collections.abc import Awaitable, Callable

from db import Database
from db.archive import archive
from gateway.archive.store import files
from gateway.settings import Settings


def archiving(settings: Settings) -> Callable[[Database], Awaitable[list[str] | None]] | None:
    """Moves the months that are due to files; None if no nouns are archived."""
    if not settings.archive_after:
        return None

    async def work(database: Database) -> list[str] | None:
        return await archive(database, files(settings), settings.archive_after)

    return work
