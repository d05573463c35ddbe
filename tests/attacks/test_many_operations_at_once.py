"""A caller sends many operations in one instant, each of them as large as it may be.

Each is short work, but all together would hold the event loop: so they begin one a turn.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from db import Database
from support.attack_target import RICH
from support.gateways import production
from support.sent_statements import noting
from support.websocket_client import greeted, serving

SOCKET = 20  # operations at once
MOST = 3  # statements that begin in a turn; without turns it was every connection of the caller
FILTER = {"or": [{"title": {"eq": "e"}}] * 90}
DOCUMENT = "query Q{} ($f: DreamFilter) {{ dreams(first: 1, filter: $f) {{ nodes {{ id }} }} }}"


@pytest.fixture
async def large(database_url: str) -> AsyncIterator[Database]:
    """A database with connections for all operations at once."""
    database = Database(database_url, pool_size=50)
    async with asyncio.TaskGroup() as opening:
        for _ in range(SOCKET):
            opening.create_task(connected(database))
    yield database
    await database.close()


async def connected(database: Database) -> None:
    async with database.read():
        await asyncio.sleep(0.01)


@asynccontextmanager
async def turns(database: Database) -> AsyncIterator[Counter[int]]:
    """How many statements begin in each turn of the event loop."""
    begun: Counter[int] = Counter()
    now = 0

    async def count() -> None:
        nonlocal now
        while True:
            await asyncio.sleep(0)
            now += 1

    def note(*_: Any) -> None:
        begun[now] += 1

    counting = asyncio.create_task(count())
    with noting(database, note):
        yield begun
    counting.cancel()


async def test_operations_of_one_socket_begin_one_a_turn(large: Database) -> None:
    async with (
        serving(production(public_read=True, **RICH), large) as address,
        greeted(address) as client,
        turns(large) as begun,
    ):
        for number in range(SOCKET):
            query = DOCUMENT.format(number)
            await client.ask(str(number), query, variables={"f": FILTER})
        heard = [await client.hear() for _ in range(2 * SOCKET)]
    assert Counter(message["type"] for message in heard) == {"next": SOCKET, "complete": SOCKET}
    assert begun.total() >= SOCKET
    assert max(begun.values()) <= MOST


async def test_requests_at_once_begin_one_a_turn(large: Database) -> None:
    async with (
        serving(production(public_read=True, **RICH), large) as address,
        httpx2.AsyncClient() as http,
        turns(large) as begun,
    ):
        bodies = [
            {"query": DOCUMENT.format(number), "variables": {"f": FILTER}}
            for number in range(SOCKET)
        ]
        answers = await asyncio.gather(
            *(http.post(f"{address}/graphql", json=body) for body in bodies)
        )
    assert [answer.json() for answer in answers] == [{"data": {"dreams": {"nodes": []}}}] * SOCKET
    assert max(begun.values()) <= MOST
