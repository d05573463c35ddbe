"""Fixtures of the database: an import folder, batch writers, a reader, other processes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from db import Database
from db.core.feed import Reader
from db.core.ingest.writer import Ingestion
from db.feeds import EVENTS
from support.imports import Ground


@pytest.fixture
def ground(database: Database, tmp_path: Path) -> Ground:
    """The database of the test, and a folder for files to import."""
    return Ground(database, tmp_path)


@pytest.fixture
async def ingestion(database: Database) -> AsyncIterator[Ingestion]:
    """The batch writers of one process."""
    ingestion = Ingestion(database)
    yield ingestion
    await ingestion.close()


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    """A reader of the events feed."""
    reader = Reader(EVENTS, database)
    yield reader
    await reader.close()


@pytest.fixture
async def others(database_url: str) -> AsyncIterator[list[Database]]:
    """The same database as several processes have it."""
    others = [Database(database_url, pool_size=2) for _ in range(4)]
    yield others
    for other in others:
        await other.close()
