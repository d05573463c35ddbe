"""What tests of the database share: a place to import into."""

from pathlib import Path

import pytest
from importing import Ground

from db import Database


@pytest.fixture
def ground(database: Database, tmp_path: Path) -> Ground:
    """This test's database, and a folder of its own for files to import."""
    return Ground(database, tmp_path)
