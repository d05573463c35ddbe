"""WebSockets: how many may be open, of each client and in all."""

import pytest

from db import Database
from gateway.settings import Settings
from gateway.transport.websocket.connection import UNIDENTIFIED
from support.gateways import make_key, production
from support.websocket_client import dialled, greeted, greeting_refusal, handshake_refusal, serving

pytestmark = pytest.mark.usefixtures("log")


async def test_a_caller_has_a_limit_of_sockets(database: Database) -> None:
    settings = production(max_streams_per_caller=2)
    key, other = [await make_key(database, settings) for _ in range(2)]
    mine = {"authorization": f"Bearer {key.text}"}
    async with serving(settings, database) as address:
        async with greeted(address, **mine), greeted(address, **mine) as client:
            code, reason = await greeting_refusal(address, mine)
            assert (code, reason[:23]) == (1013, "You have 2 open streams")
            async with greeted(address, authorization=f"Bearer {other.text}"):
                assert await client.is_alive()
        async with greeted(address, **mine):
            pass


async def test_unidentified_sockets_make_room_for_others_of_their_network(
    database: Database,
) -> None:
    settings = production(max_unidentified_sockets_per_network=2)
    key = await make_key(database, settings)
    async with (
        serving(settings, database) as address,
        dialled(address) as first,
        dialled(address) as second,
        dialled(address) as third,
    ):
        assert await first.close_code() == (1013, UNIDENTIFIED)
        await second.greet(authorization=f"Bearer {key.text}")
        async with dialled(address):
            assert await second.is_alive()
            assert await third.is_alive()


async def test_a_credential_in_the_handshake_counts_for_its_caller(database: Database) -> None:
    settings = production(max_streams_per_caller=1)
    key = await make_key(database, settings)
    headers = {"Authorization": f"Bearer {key.text}"}
    async with serving(settings, database) as address:
        async with dialled(address, additional_headers=headers):
            assert await handshake_refusal(address, headers) == (429, "RATE_LIMITED", "1")
            other = await make_key(database, settings)
            async with greeted(address, authorization=f"Bearer {other.text}") as client:
                assert await client.is_alive()
        async with dialled(address, additional_headers=headers) as client:
            await client.greet()


async def test_a_process_has_a_limit_of_sockets(database: Database) -> None:
    async with serving(Settings(_env_file=None, max_streams=1), database) as address:
        async with greeted(address):
            assert await handshake_refusal(address) == (503, "SERVICE_UNAVAILABLE", "1")
        async with greeted(address) as client:
            assert await client.is_alive()
