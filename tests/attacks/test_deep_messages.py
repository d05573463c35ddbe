"""Attacks with messages nested deeply: before and after `connection_init` they end the socket."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from db import Database
from support.attack_target import RICH
from support.gateways import production
from support.websocket_client import dialled, serving

DEPTHS = (40, 300, 5_000, 20_000)
INIT = {"type": "connection_init"}


def nested(kind: str, depth: int, before: str = "[", after: str = "]") -> str:
    return f'{{"type":"{kind}","payload":{{"a":{before * depth}1{after * depth}}}}}'


@pytest.fixture
async def address(database: Database) -> AsyncIterator[str]:
    settings = production(drain_seconds=0, spread_seconds=0, public_read=True, **RICH)
    async with serving(settings, database) as address:
        yield address


@pytest.mark.parametrize("kind", ["ping", "pong", "connection_init"])
@pytest.mark.parametrize("is_greeted", [False, True])
async def test_deep_payloads_end_the_socket(address: str, kind: str, is_greeted: bool) -> None:
    with capture_logs() as logs:
        for depth in DEPTHS:
            for around in (("[", "]"), ('{"a":', "}")):
                async with dialled(address) as client:
                    if is_greeted:
                        await client.greet()
                    await client.say(nested(kind, depth, *around))
                    code, reason = await client.close_code()
                assert code == 4400, (depth, reason)
                assert reason.startswith("Invalid message: ")
    assert [line for line in logs if line["log_level"] in ("error", "critical")] == []


async def test_flat_payloads_are_taken(address: str) -> None:
    payload: dict[str, Any] = {"a": [[1]], "b": {"c": None}}
    async with dialled(address) as client:
        for _ in range(2):
            await client.say({"type": "ping", "payload": payload})
            assert await client.hear() == {"type": "pong", "payload": payload}
            await client.say({"type": "pong", "payload": payload})
            if _ == 0:
                await client.greet(**payload)
