"""A world of their own for fault tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from faults.world import World


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    try:
        await world.start()
        yield world
    finally:
        await world.stop()
