"""What tests of the database share: where to import, lanes to send into, a reader."""

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
    """This test's database, and a folder of its own for files to import."""
    return Ground(database, tmp_path)


@pytest.fixture
async def ingestion(database: Database) -> AsyncIterator[Ingestion]:
    """The lanes of one process."""
    ingestion = Ingestion(database)
    yield ingestion
    await ingestion.close()


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[Reader]:
    """Reads the events while somebody follows."""
    reader = Reader(EVENTS, database)
    yield reader
    await reader.close()
