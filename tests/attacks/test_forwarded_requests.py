"""Attack: requests of other machines that act as the administrator of development by a proxy."""

import httpx2
import pytest
from starlette.datastructures import Headers

from db import Database
from gateway.middleware.forwarded import is_from_elsewhere
from gateway.settings import Settings
from support.gateways import gateway, make_key
from support.websocket_client import dialled, serving

WHO = {"query": "{ viewer { role } }"}


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None)


def local_client(settings: Settings, database: Database) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(gateway(settings, database), client=("127.0.0.1", 50000))
    return httpx2.AsyncClient(transport=transport, base_url="http://localhost:8000")


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "203.0.113.9"},
        {"x-forwarded-for": "127.0.0.1, 203.0.113.9"},
        {"x-forwarded-for": "203.0.113.9, 127.0.0.1"},
        {"x-forwarded-for": "::ffff:192.168.1.5"},
        {"x-forwarded-for": "unknown"},
        {"x-forwarded-for": ""},
        {"x-real-ip": "203.0.113.9"},
        {"cf-connecting-ip": "203.0.113.9"},
        {"forwarded": "for=203.0.113.9"},
        {"forwarded": 'For="[2001:db8::9]:4711";proto=http'},
        {"forwarded": "for=127.0.0.1;host=evil.example"},
        {"forwarded": "for=127.0.0.1, for=203.0.113.9"},
        {"forwarded": "proto=https"},
        {"x-forwarded-host": "evil.example"},
        {"x-forwarded-host": "localhost, evil.example"},
        {"x-forwarded-for": "127.0.0.1", "x-forwarded-host": "192.168.1.5:5173"},
    ],
)
async def test_in_development_requests_of_other_machines_need_a_credential(
    settings: Settings, database: Database, headers: dict[str, str]
) -> None:
    assert is_from_elsewhere(Headers(headers))
    key = (await make_key(database, settings)).text
    async with local_client(settings, database) as client:
        refused = await client.post("/graphql", json=WHO, headers=headers)
        named = headers | {"authorization": f"Bearer {key}"}
        served = await client.post("/graphql", json=WHO, headers=named)
    assert refused.status_code == 401
    (error,) = refused.json()["errors"]
    assert error["message"].startswith(
        "In development, requests that a proxy forwards from another machine "
    )
    assert served.json() == {"data": {"viewer": {"role": "MEMBER"}}}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-forwarded-for": "127.0.0.1", "x-forwarded-host": "localhost:5173"},
        {"x-forwarded-for": "::1", "x-forwarded-proto": "http", "x-forwarded-port": "5173"},
        {"x-forwarded-for": "::ffff:127.0.0.1"},
        {"x-forwarded-host": "[::1]:5173"},
        {"x-forwarded-host": "app.localhost"},
        {"forwarded": 'for="[::1]:4711";host="localhost:5173";proto=http'},
    ],
)
async def test_in_development_a_proxy_for_this_machine_may_pass(
    settings: Settings, database: Database, headers: dict[str, str]
) -> None:
    assert not is_from_elsewhere(Headers(headers))
    async with local_client(settings, database) as client:
        served = await client.post("/graphql", json=WHO, headers=headers)
    assert served.json() == {"data": {"viewer": {"role": "ADMIN"}}}


async def test_a_websocket_of_another_machine_needs_a_credential(
    settings: Settings, database: Database
) -> None:
    key = (await make_key(database, settings)).text
    headers = {"X-Forwarded-For": "203.0.113.9"}
    async with serving(settings, database) as address:
        async with dialled(address, additional_headers=headers) as client:
            await client.say({"type": "connection_init"})
            assert (await client.close_code())[0] == 4403
        async with dialled(address, additional_headers=headers) as client:
            await client.greet(authorization=f"Bearer {key}")
            assert await client.answer("1", WHO["query"]) == {
                "data": {"viewer": {"role": "MEMBER"}}
            }
