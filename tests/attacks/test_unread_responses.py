"""Attacks with responses that nobody reads: they leave room for those of other callers."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest

from db import Database
from gateway.components import RESULTS
from gateway.protocols import slow_clients
from support.attack_target import RICH
from support.factories import make_dream
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.stalled_clients import narrow
from support.stream_client import request
from support.wait import until
from support.websocket_client import dialled

MOST = 1024 * 1024
SIZE = RESULTS * MOST
QUERY = "{ a: dreams { nodes { originalPrompt } } b: dreams { nodes { originalPrompt } } }"
SHARED = "{ dreams { nodes { originalPrompt } } }"  # executed once for queries of one turn
MANY = 4 * RESULTS


@asynccontextmanager
async def gateway(database: Database) -> AsyncIterator[tuple[Served, list[str]]]:
    """A gateway with large texts, and keys of two members."""
    settings = production(
        public_read=True, drain_seconds=0, spread_seconds=0, max_response_bytes=MOST, **RICH
    )
    for number in range(4):
        await make_dream(database, title=f"{number}", is_public=True, original_prompt="x" * 100_000)
    keys = [(await make_key(database, settings)).text for _ in range(2)]
    async with serving(settings, database) as served:
        yield served, keys


def rooms(served: Served) -> Any:
    return served.server.config.app.state.rooms


async def ask(served: Served, key: str | None, query: str = QUERY) -> int:
    """The status of the answer to the same query, which is read."""
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(timeout=60) as client:
        url = f"{served.address}/graphql"
        return (await client.post(url, json={"query": query}, headers=headers)).status_code


@pytest.mark.parametrize(("is_known", "query"), [(True, QUERY), (False, QUERY), (True, SHARED)])
async def test_unread_responses_leave_room_for_others(
    database: Database, is_known: bool, query: str
) -> None:
    async with gateway(database) as (served, (mallory, bob)):
        for _ in range(3):  # then it is known which callers share an execution
            await ask(served, mallory, query)
        room = rooms(served).known if is_known else rooms(served).anonymous
        others = [bob, None] if is_known else [bob, mallory]
        fields = {"authorization": f"Bearer {mallory}"} if is_known else {}
        with ExitStack() as open:
            sent = request({"query": query}, "application/json", **fields)
            clients = [open.enter_context(narrow(served.port)) for _ in range(MANY)]
            for client in clients:
                await asyncio.get_running_loop().sock_sendall(client, sent)
            heads = [await head(client) for client in clients]
            assert heads.count(b"200") > 1
            assert heads.count(b"429") > 1
            assert SIZE / 2 - MOST <= room.free < SIZE - MOST
            assert [await ask(served, key) for key in others] == [200, 200]
        await until(lambda: room.free == SIZE)
        assert await ask(served, mallory if is_known else None) == 200
        await until(lambda: room.free == SIZE)
        assert not room.held


async def test_a_client_that_takes_nothing_is_cut_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 0.2)
    async with gateway(database) as (served, _):
        room = rooms(served).anonymous
        with narrow(served.port) as client:
            sent = request({"query": QUERY}, "application/json")
            await asyncio.get_running_loop().sock_sendall(client, sent)
            assert await head(client) == b"200"
            await until(lambda: room.free == SIZE)
            await until(lambda: not served.server.server_state.connections)


async def head(client: socket.socket) -> bytes:
    """The status of a response of which nothing more is read."""
    return (await asyncio.get_running_loop().sock_recv(client, 12))[9:]


async def test_a_socket_holds_room_until_it_reads(database: Database) -> None:
    async with gateway(database) as (served, (mallory, bob)):
        room = rooms(served).known
        async with dialled(served.address, max_queue=1) as client:
            await client.greet(authorization=f"Bearer {mallory}")
            for number in range(20):
                await client.ask(str(number), QUERY)
            await until(lambda: room.free < SIZE)
            assert await ask(served, bob) == 200
            over = 0
            while over < 20:
                over += (await client.hear())["type"] in ("complete", "error")
        await until(lambda: room.free == SIZE)


async def test_small_responses_take_no_room(database: Database) -> None:
    async with gateway(database) as (served, (bob, _)):
        room = rooms(served).known
        taken: list[int] = []
        inner = room.take
        room.take = lambda caller, count: taken.append(count) or inner(caller, count)
        headers = {"authorization": f"Bearer {bob}"}
        async with httpx2.AsyncClient() as client:
            for text in ("{ dreams(first: 1) { nodes { id } } }", "{ __typename }"):
                await client.post(
                    f"{served.address}/graphql", json={"query": text}, headers=headers
                )
        assert taken == []
