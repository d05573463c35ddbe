"""Connections that never say who they are lock out those that do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest

from db import Database
from gateway.protocols.idle_connections import IdleConnections
from gateway.transport.websocket import connection
from support.gateways import WHO, make_key, production
from support.running_gateway import serving as served
from support.stream_client import listening
from support.wait import until
from support.websocket_client import dialled, greeted, raw, serving

MANY = 200
ANSWER = {"data": {"viewer": {"role": "MEMBER", "scopes": []}}}


@pytest.fixture
async def key(database: Database) -> str:
    """The key of a member."""
    return (await make_key(database, production())).text


@pytest.fixture
async def address(database: Database) -> AsyncIterator[str]:
    """The address of a gateway in production."""
    async with serving(production(), database) as address:
        yield address


async def test_silent_sockets_do_not_lock_out_their_network(address: str, key: str) -> None:
    credential = {"Authorization": f"Bearer {key}"}
    async with AsyncExitStack() as stack:
        for _ in range(MANY):
            await stack.enter_async_context(raw(address))

        async with dialled(address, additional_headers=credential) as client:
            await client.greet()
            assert await client.answer("1", WHO) == ANSWER
        async with greeted(address, authorization=f"Bearer {key}") as client:
            assert await client.answer("1", WHO) == ANSWER
        async with listening(address, WHO, authorization=f"Bearer {key}") as stream:
            assert stream.status == 200
        async with httpx2.AsyncClient() as client:
            body = {"query": WHO}
            answer = await client.post(f"{address}/graphql", json=body, headers=credential)
            assert answer.json() == ANSWER


async def test_silent_sockets_are_few_and_no_streams_of_callers(
    database: Database, key: str
) -> None:
    settings = production(max_streams=2, max_unidentified_sockets_per_network=3)
    async with serving(settings, database) as address, AsyncExitStack() as stack:
        for _ in range(10):
            await stack.enter_async_context(raw(address))
        async with greeted(address, authorization=f"Bearer {key}") as client:
            assert await client.is_alive()

            async def few() -> bool:
                async with httpx2.AsyncClient() as http:
                    return bool((await http.get(f"{address}/health")).json()["streams"] <= 4)

            await until(few)


@pytest.mark.parametrize(("identified", "half"), [(True, b""), (False, b"\x81\xfe")])
async def test_half_a_frame_is_no_connection_init(
    monkeypatch: pytest.MonkeyPatch, address: str, key: str, identified: bool, half: bytes
) -> None:
    monkeypatch.setattr(connection, "INIT_SECONDS", 0.2)
    headers = {"Authorization": f"Bearer {key}"} if identified else {}
    async with dialled(address, additional_headers=headers) as client:
        client.connection.transport.write(half)
        assert await client.close_code() == (4408, "Connection initialisation timeout")


async def test_idle_connections_give_way_to_requests(database: Database, key: str) -> None:
    """New ones, those with half a head or half a body, and those that are kept alive."""
    network = {"trusted_proxies": "none", "max_idle_connections_per_network": 3}
    settings = production(**network, drain_seconds=0, spread_seconds=0)
    head = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer "
    head += key.encode() + b"\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"
    beginnings = [b"", b"GET /li", head, b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"]
    async with served(settings, database) as gateway, AsyncExitStack() as stack:
        for beginning in beginnings * 3:
            _, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
            stack.callback(writer.close)
            writer.write(beginning)
        async with httpx2.AsyncClient() as client:
            for _ in range(2):
                assert (await client.get(f"{gateway.address}/livez")).status_code == 200
        connections = gateway.server.server_state.connections
        await until(lambda: len(connections) <= 3)
        idle = gateway.server.config.app.state.connections
        assert 0 < len(idle.all) <= 3
        async with greeted(gateway.address, authorization=f"Bearer {key}") as client:
            assert await client.is_alive()
            assert len(idle.all) <= 2  # a WebSocket is none of them
    assert idle.all == idle.by_network == {}


def test_connections_of_a_trusted_proxy_are_not_bounded_by_network() -> None:
    idle = IdleConnections(production(trusted_proxies="203.0.113.9"))
    assert idle.network_of("203.0.113.9") is None
    assert idle.network_of("203.0.113.8") == "203.0.113.0/24"
