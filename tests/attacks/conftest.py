"""Attacks on a gateway in production."""

from collections.abc import AsyncIterator

import pytest
from target import Target, attacked

from db import Database


@pytest.fixture
async def target(database: Database) -> AsyncIterator[Target]:
    """A gateway over this test's database."""
    async with attacked(database) as target:
        yield target
