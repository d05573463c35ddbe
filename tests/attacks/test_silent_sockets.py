"""Connections that never say who they are lock out those that do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx2
import pytest
from callers import WHO, make_key, production
from sockets import dialled, greeted, raw, serving

from db import Database
from gateway.websocket import socket
from listening import listening
from waiting import until

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
    monkeypatch.setattr(socket, "INIT_SECONDS", 0.2)
    headers = {"Authorization": f"Bearer {key}"} if identified else {}
    async with dialled(address, additional_headers=headers) as client:
        client.connection.transport.write(half)
        assert await client.close_code() == (4408, "Connection initialisation timeout")
