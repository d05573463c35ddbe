"""Fixtures of attachments: a gateway in production, its files, and a dream with its owner."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from db import Database
from gateway.settings import Settings
from support.attachments import Client, client
from support.factories import make_dream, make_user
from support.gateways import gateway, production


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    limits = {"media_max_bytes": 200_000, "media_max_per_dream": 3}
    return production(data_dir=tmp_path, public_read=True, **limits)


@pytest.fixture
async def app(settings: Settings, database: Database) -> AsyncIterator[Starlette]:
    app = gateway(settings, Database(database.url))
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def owner(database: Database) -> Any:
    return await make_user(database)


@pytest.fixture
async def dream(database: Database, owner: Any) -> Any:
    return await make_dream(database, user_id=owner.id, is_public=False)


@pytest.fixture
async def mine(
    app: Starlette, database: Database, settings: Settings, owner: Any
) -> AsyncIterator[Client]:
    async with client(app, database, settings, user_id=owner.id) as mine:
        yield mine
