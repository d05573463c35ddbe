"""Fixtures of the gateway: in process for speed, on a socket where that matters; and an issuer of
tokens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from db import Database
from gateway.app import create_app
from gateway.process.configuration import uvicorn_config
from gateway.process.listener import listening
from gateway.settings import Settings
from support.agent_gateways import Gateway, two_gateways
from support.commands import Dreamnet, commands
from support.gateways import Clock, gateway, production
from support.graphql_client import Endpoint, endpoint as serving_endpoint
from support.oidc_issuer import AUDIENCE, Issuer, serving as serving_issuer
from support.running_gateway import Served, serving


@pytest.fixture
def dreamnet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Dreamnet]:
    """`dreamnet("migrate", "up", DATABASE_URL=...)` runs a command and returns its exit code."""
    with commands(monkeypatch, tmp_path) as dreamnet:
        yield dreamnet


@pytest.fixture
async def two(database: Database, database_url: str) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two gateways of one database, one of which has a wrong clock."""
    async with two_gateways(database, database_url) as two:
        yield two


@pytest.fixture
def settings() -> Settings:
    """Development settings that no variable and no file of the developer's changes."""
    return Settings(_env_file=None, max_body_bytes=4096, max_document_bytes=1024)


@pytest.fixture
async def served(database: Database, settings: Settings) -> AsyncIterator[Served]:
    """The gateway on a socket."""
    async with serving(settings, database) as served:
        yield served


@pytest.fixture
def app(settings: Settings, database: Database) -> Starlette:
    """The gateway over this test's database."""
    return create_app(settings, database)


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the gateway, which is started."""
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        yield client


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """What the gateway logs, by event and severity; at the end there must be no error in it, of
    ours or of a library."""
    with capture_logs(processors=[format_exc_info]) as lines:
        yield lines
    severe = [line for line in lines if line["log_level"] in ("error", "critical")]
    assert severe == []
    records = caplog.get_records("call")  # `records` are those of the teardown by now
    assert not [record.getMessage() for record in records if record.levelname == "ERROR"]


@pytest.fixture
async def address(settings: Settings, database: Database) -> AsyncIterator[str]:
    """The address of the gateway on a socket, served as `dreamnet serve` does."""
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(uvicorn_config(settings, database))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer of this test's own."""
    async with serving_issuer() as issuer:
        yield issuer


@pytest.fixture
def clock() -> Clock:
    """A clock that this test moves."""
    return Clock()


@pytest.fixture
def issuer_settings(issuer: Issuer) -> Settings:
    """Those of production that trusts the issuer."""
    return production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)


@pytest.fixture
def issuer_app(issuer_settings: Settings, database: Database, clock: Clock) -> Starlette:
    """A gateway that trusts the issuer, by the clock of this test."""
    return gateway(issuer_settings, database, clock)


@pytest.fixture
async def endpoint(database: Database) -> AsyncIterator[Endpoint]:
    """A gateway in production, asked with the API key of an administrator."""
    async with serving_endpoint(database) as endpoint:
        yield endpoint
