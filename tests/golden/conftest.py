"""The golden ground: the world is built once, and only read."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from db import Database
from gateway import maintenance
from gateway.app import create_app
from gateway.auth.authenticator import Auth
from gateway.settings import Settings
from golden import world
from support.databases import drop_database


@pytest.fixture(scope="session")
def world_url(server_url: str, template_url: str) -> Iterator[str]:
    """A database that holds the world. Only read it."""
    url = asyncio.run(world.stored(server_url, template_url))
    yield url
    asyncio.run(drop_database(server_url, url))


@pytest.fixture
async def database(world_url: str) -> AsyncIterator[Database]:
    database = Database(world_url)
    yield database
    await database.close()


@pytest.fixture
async def client(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway over the world, whose agents have been silent for years and stay as
    they are however long a test takes. The developer of the gateway is already known."""
    monkeypatch.setattr(maintenance, "LOOK_SECONDS", 3600)
    settings = Settings(_env_file=None)
    auth = Auth(settings, database, clock=lambda: 0.0)
    await auth.developer.principal()
    app = create_app(settings, database, auth)
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        yield client
