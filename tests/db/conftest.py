"""What tests of the database share: a place to import into, lanes to send into."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from importing import Ground

from db import Database
from db.core.ingest import Ingestion


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
