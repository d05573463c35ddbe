"""Attacks with subscriptions whose documents are large: their caller has room for so many."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from db import Database
from gateway.transport import executor
from support.attack_target import RICH
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.stream_client import listening
from support.wait import until
from support.websocket_client import dialled

FOLLOW = "subscription S%d { dreams { kind dreams { id } } }"
SIZE = 16 * 64 * 1024


@pytest.fixture
async def served(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    """A gateway with room for few documents."""
    monkeypatch.setattr(executor, "SMALL_DOCUMENT", -200_000)  # as if each were that much larger
    settings = production(
        public_read=True, drain_seconds=0, spread_seconds=0, max_response_bytes=64 * 1024, **RICH
    )
    async with serving(settings, database) as served:
        yield served


def rooms(served: Served) -> Any:
    return served.server.config.app.state.rooms


async def test_a_caller_has_room_for_so_many_documents(database: Database, served: Served) -> None:
    mallory, bob = [(await make_key(database, served.server.settings)).text for _ in range(2)]
    async with dialled(served.address) as client, dialled(served.address) as other:
        await client.greet(authorization=f"Bearer {mallory}")
        await other.greet(authorization=f"Bearer {bob}")
        for number in range(2):
            await client.ask(str(number), FOLLOW % number)
            assert (await client.hear())["type"] == "next"
        (error,) = await client.refusal("2", FOLLOW % 2)
        assert error["extensions"]["code"] == "RATE_LIMITED"
        await other.ask("0", FOLLOW % 3)
        assert (await other.hear())["type"] == "next"
        async with listening(
            served.address, FOLLOW % 4, authorization=f"Bearer {mallory}"
        ) as stream:
            assert stream.status == 429
        await client.say({"type": "complete", "id": "0"})
        await until(lambda: rooms(served).known.free > SIZE - 450_000)
        await client.ask("3", FOLLOW % 5)
        assert (await client.hear())["type"] == "next"
    await until(lambda: rooms(served).known.free == SIZE)


async def test_ordinary_documents_take_no_room(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "SMALL_DOCUMENT", 64 * 1024)
    async with listening(served.address, FOLLOW % 0) as stream:
        assert stream.status == 200
        assert rooms(served).anonymous.free == SIZE
