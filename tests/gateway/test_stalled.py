"""Clients that stop reading are disconnected, without effect on others."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import orjson
import pytest

from db import Database
from gateway.protocols import slow_clients
from gateway.settings import Settings
from graph.core.subscriptions.group import Subscriber
from support.running_gateway import Served, serving
from support.stalled_clients import FOLLOW, load, narrow, stalled
from support.stream_client import listening, request
from support.wait import patience, until

SOCKETS, STREAMS = 20, 10
PATH = "/graphql"


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    """A gateway on a socket that takes large requests."""
    async with serving(Settings(_env_file=None), database) as served:
        yield served


def members() -> int:
    """How many subscriptions there are in this process."""
    gc.collect()
    return sum(isinstance(each, Subscriber) for each in gc.get_objects())


async def test_a_client_that_does_not_read_is_disconnected_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 1.0)
    url = served.address + PATH
    stored: list[str] = []
    heard: list[str] = []
    async with (
        listening(served.address, FOLLOW) as healthy,
        httpx2.AsyncClient(timeout=20) as client,
        stalled(served.port, SOCKETS, STREAMS),
        asyncio.timeout(25),  # the system itself would cut them off after 30
    ):
        await healthy.chunk()
        await until(lambda: members() == 1 + SOCKETS + STREAMS)
        while served.streams > 1 or not stored:
            stored += await load(client, url, len(stored))
            while len(heard) < len(stored):
                heard += keys(await healthy.chunk())
        await until(lambda: members() == 1)
        broken = "stream interrupted: the client does not read"
        assert [line["event"] for line in log].count(broken) == STREAMS
    assert heard == stored


async def test_a_slow_client_gets_every_message(
    served: Served, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    """Each message takes longer than one is left alone without taking anything."""
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 3.0)
    monkeypatch.setattr(slow_clients, "LEAST", 1)
    reader, writer = await asyncio.open_connection(sock=narrow(served.port), limit=2**15)
    writer.write(request({"query": FOLLOW}, "text/event-stream"))
    await until(lambda: members() == 1)
    async with httpx2.AsyncClient(timeout=20) as client, patience():
        stored = [key for n in range(2) for key in await load(client, served.address + PATH, n)]
        received = b""
        while b'"1-99"' not in received:
            await asyncio.sleep(0.25)  # it has something else to do
            received += await reader.read(2**16)
    writer.close()
    assert [key.decode() for key in re.findall(rb'"agentKey":"([^"]*)"', received)] == stored


def keys(chunk: bytes) -> list[str]:
    """The agents that an event is about."""
    data = next(line for line in chunk.split(b"\n") if line.startswith(b"data: "))
    return [
        report["agentKey"] for report in orjson.loads(data[6:])["data"]["agentHistory"]["reports"]
    ]
