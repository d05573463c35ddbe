"""Listening: on one address, or on every address of both families."""

import asyncio
import socket
from collections.abc import AsyncIterator

import httpx2
import pytest
import uvicorn

from db import Database
from gateway.exit_codes import CommandFailed
from gateway.process.configuration import uvicorn_config
from gateway.process.listener import listening
from gateway.process.startup_message import base
from gateway.settings import Settings

needs_both = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")


@pytest.fixture
async def everywhere(settings: Settings, database: Database) -> AsyncIterator[int]:
    """The port of a gateway that listens on `::`."""
    with listening("::", 0) as listener:
        server = uvicorn.Server(uvicorn_config(settings, database))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await task


@needs_both
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost"])
async def test_every_address_is_answered(everywhere: int, host: str) -> None:
    async with httpx2.AsyncClient(base_url=f"http://{host}:{everywhere}", timeout=20) as client:
        assert (await client.get("/health")).status_code == 200
        answer = await client.post("/graphql", json={"query": "{ __typename }"})
        assert answer.json() == {"data": {"__typename": "Query"}}


@needs_both
def test_an_address_of_ipv6_is_not_one_of_ipv4() -> None:
    with listening("::1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        socket.create_connection(("::1", port)).close()


@needs_both
def test_a_port_that_is_taken_in_one_family_is_taken() -> None:
    with listening("0.0.0.0", 0) as listener:  # noqa: S104  for as long as the test lasts
        port = listener.getsockname()[1]
        with pytest.raises(CommandFailed, match="stop that program, or set --port"):
            listening("::", port, setting="--port")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("::", "http://localhost:8000"),
        ("0.0.0.0", "http://localhost:8000"),  # noqa: S104  only printed
        ("gateway.example", "http://gateway.example:8000"),
    ],
)
def test_the_address_that_is_printed_can_be_opened(host: str, address: str) -> None:
    assert base(host, 8000) == address
    assert base(host, 8000, "/dreamnet") == f"{address}/dreamnet"
