"""Proxies: the client behind a trusted one, which no other client can forge."""

import httpx2
import pytest
from starlette.applications import Starlette

from db import Database
from gateway.middleware.forwarded import (
    MAX_ADDRESS,
    ForwardedHeaders,
    TrustedProxies,
    _seen_address,
    address,
)
from gateway.settings import Settings, SettingsRefused, load
from support.gateways import gateway, production
from support.websocket_client import dialled, serving

LOOPBACK = "127.0.0.0/8,::1"
LIMIT = {"query": "{ rateLimit { remaining } }"}
EXPENSIVE = {"query": "{ dreams(first: 100) { nodes { id } } }"}


def behind(trusted: str = LOOPBACK) -> ForwardedHeaders:
    settings = Settings(_env_file=None, trusted_proxies=trusted)
    return ForwardedHeaders(Starlette(), TrustedProxies(settings.proxies))


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.7, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.7", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, 10.0.0.2"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.7, 203.0.113.9, 10.0.0.2, 10.0.0.3"], "203.0.113.9"),
        ("127.0.0.1", ["10.0.0.4, 10.0.0.2"], "10.0.0.4"),
        ("10.0.0.2", ["203.0.113.9"], "203.0.113.9"),
        ("::1", ["2001:db8::9"], "2001:db8::9"),
        ("::1", ["[2001:db8::9]:4711"], "2001:db8::9"),
        ("::1", ['"[2001:db8::9]"'], "2001:db8::9"),
        ("::ffff:127.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("127.0.0.1", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9, _hidden, 10.0.0.2"], "10.0.0.2"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [", ,"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.999"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9:80:80"], "127.0.0.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("192.0.2.1", ["127.0.0.1"], "192.0.2.1"),
    ],
)
def test_the_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str, forwarded: list[str], client: str
) -> None:
    proxies = behind("127.0.0.1, ::1, 10.0.0.0/8")
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "scheme": "http", "path": "/", "headers": headers}
    scope["client"] = (peer, 1)
    proxies.resolve(scope)
    assert scope["client"] == (client, 1)


@pytest.mark.parametrize("text", ["*", "localhost", "10.0.0.0/33", "127.0.0.1,", "nginx"])
def test_only_addresses_and_networks_are_trusted(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("DREAMNET_TRUSTED_PROXIES", text)
    with pytest.raises(SettingsRefused, match="DREAMNET_TRUSTED_PROXIES is invalid"):
        load()


def test_no_proxy_is_trusted_with_none() -> None:
    proxies = behind("none")
    assert not proxies.proxies.trusts("127.0.0.1")


@pytest.mark.parametrize("scheme", ["http", "ws"])
@pytest.mark.parametrize(
    ("said", "secure"), [("https", True), ("HTTPS", True), ("http", False), ("gopher", False)]
)
def test_the_scheme_is_that_of_the_client(scheme: str, said: str, secure: bool) -> None:
    headers = [(b"x-forwarded-proto", said.encode())]
    scope = {"type": "http", "scheme": scheme, "path": "/", "headers": headers}
    behind().resolve(scope | {"client": ("192.0.2.1", 1)})
    assert scope["scheme"] == scheme
    scope["client"] = ("127.0.0.1", 1)
    behind().resolve(scope)
    assert scope["scheme"] == (f"{scheme}s" if secure else scheme)


# Anonymous callers and their networks.


def client_at(app: Starlette, peer: str) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app, client=(peer, 4711))
    return httpx2.AsyncClient(transport=transport, base_url="http://gateway.example")


async def remaining(app: Starlette, peer: str, **headers: str) -> int:
    """The points that are left to the network of a caller."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client_at(app, peer) as client:
        await client.post("/graphql", json=EXPENSIVE, headers=named)
        answer = await client.post("/graphql", json=LIMIT, headers=named)
    return int(answer.json()["data"]["rateLimit"]["remaining"])


async def test_each_network_behind_a_proxy_has_a_budget_of_its_own(database: Database) -> None:
    app = gateway(production(public_read=True, trusted_proxies="10.0.0.0/8"), database)
    first = await remaining(app, "10.0.0.2", x_forwarded_for="203.0.113.9")
    assert await remaining(app, "10.0.0.2", x_forwarded_for="198.51.100.7") == first
    assert await remaining(app, "10.0.0.2", x_forwarded_for="2001:db8::9") == first
    assert await remaining(app, "10.0.0.2", x_forwarded_for="203.0.113.10") < first


async def test_a_client_cannot_choose_its_network(database: Database) -> None:
    app = gateway(production(public_read=True), database)
    first = await remaining(app, "192.0.2.1", x_forwarded_for="203.0.113.9")
    assert await remaining(app, "192.0.2.1", x_forwarded_for="198.51.100.7") < first
    first = await remaining(app, "127.0.0.1", x_forwarded_for="1.1.1.1, 203.0.113.9")
    assert await remaining(app, "127.0.0.1", x_forwarded_for="2.2.2.2, 203.0.113.9") < first
    spoofed = await remaining(
        app, "127.0.0.1", x_forwarded_for="203.0.113.9", forwarded="for=3.3.3.3"
    )
    assert spoofed < first


async def test_addresses_of_a_socket_for_both_families_are_those_of_their_family(
    database: Database,
) -> None:
    app = gateway(production(public_read=True), database)
    first = await remaining(app, "::ffff:203.0.113.9")
    assert await remaining(app, "::ffff:198.51.100.7") == first
    assert await remaining(app, "203.0.113.9") < first


# WebSockets.


async def test_websockets_are_counted_for_the_network_behind_the_proxy(
    database: Database,
) -> None:
    settings = production(public_read=True, max_streams_per_network=1)
    first, other = ({"X-Forwarded-For": host} for host in ("203.0.113.9", "198.51.100.7"))
    async with (
        serving(settings, database) as address,
        dialled(address, additional_headers=first) as one,
        dialled(address, additional_headers=other) as two,
        dialled(address, additional_headers=first) as three,
    ):
        await one.greet()
        await two.greet()
        await three.say({"type": "connection_init"})
        assert (await three.close_code())[0] == 1013


def test_only_short_addresses_are_remembered() -> None:
    short, long = "fe80::1%eth7", f"fe80::1%{'x' * MAX_ADDRESS}"
    before = _seen_address.cache_info()
    assert address(short) == address(short)
    assert address(long) == address(long)
    after = _seen_address.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 1)
