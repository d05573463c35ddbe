"""Fixtures of OTLP: a gateway in production, and a client with a key that may write."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from db import Database
from support.factories import make_user
from support.gateways import production
from support.otlp import exporting


@pytest.fixture
async def owner(database: Database) -> Any:
    return await make_user(database, role="OPERATOR")


@pytest.fixture
async def exporter(database: Database, owner: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key that may write events, metrics and tests, and nothing else."""
    async with exporting(database, production(), owner) as client:
        yield client
