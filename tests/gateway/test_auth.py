"""Without a credential: strangers in production, an administrator in development, no other site."""

from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection

from db import Database
from gateway.app import create_app
from gateway.auth.authenticator import Auth
from gateway.errors import HttpError
from gateway.settings import Settings
from support.gateways import Clock, ask, gateway, handshake, is_refused, production, viewer

ANONYMOUS = {"role": None, "scopes": []}
DEVELOPER = {"role": "ADMIN", "scopes": []}


@pytest.fixture
def development(database: Database) -> Starlette:
    return gateway(Settings(_env_file=None), database)


async def get(app: Starlette, path: str, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.get(path, headers=headers)


async def test_production_requires_a_credential(database: Database) -> None:
    app = gateway(production(), database)
    for response in (await ask(app), await get(app, "/schema.graphql")):
        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="dreamnet"'
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    for path in ("/livez", "/health", "/api/health/ready"):
        assert (await get(app, path)).status_code == 200


async def test_public_read_shows_public_data_to_anonymous_clients(database: Database) -> None:
    app = gateway(production(public_read=True), database)
    assert await viewer(app) == ANONYMOUS
    refused = (await ask(app, query="{ events { totalCount } }")).json()["errors"][0]
    assert refused["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("public_read", [True, False])
async def test_a_bad_credential_is_worse_than_none(database: Database, public_read: bool) -> None:
    app = gateway(production(public_read=public_read), database)
    assert is_refused(await ask(app, "nonsense"))


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwYXNz", "nonsense", "Bearer " + "x" * 8193]
)
async def test_only_bearer_credentials_count(development: Starlette, header: str) -> None:
    assert is_refused(await ask(development, authorization=header))


async def test_two_credentials_are_none(development: Starlette) -> None:
    transport = httpx2.ASGITransport(development)
    both = [("authorization", "Bearer a"), ("authorization", "Bearer b")]
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        response = await client.post("/graphql", json={"query": "{ __typename }"}, headers=both)
    assert is_refused(response)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "none"},
        {"sec_fetch_site": "same-origin", "origin": "http://127.0.0.1:8000"},
    ],
)
async def test_this_machine_is_the_developer(
    development: Starlette, headers: dict[str, str]
) -> None:
    response = await ask(development, **headers)
    assert response.json() == {"data": {"viewer": DEVELOPER}}


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "https://127.0.0.1:8000"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site", "origin": "http://127.0.0.1:8000"},
        {"host": "evil.example"},
    ],
)
async def test_other_sites_are_not_the_developer(
    development: Starlette, headers: dict[str, str]
) -> None:
    response = await ask(development, **headers)
    assert response.status_code == 403
    assert response.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:8000"},
        {"origin": "ws://127.0.0.1:8000"},
        {"sec-fetch-site": "cross-site"},
    ],
)
async def test_sockets_of_other_sites_are_not_the_developers(
    database: Database, headers: dict[str, str]
) -> None:
    auth = Auth(Settings(_env_file=None), database)
    with pytest.raises(HttpError) as refused:
        await auth.principal(HTTPConnection(handshake(**headers)))
    assert refused.value.status == 403


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_sockets_of_our_own_pages_are_the_developers(database: Database, scheme: str) -> None:
    page = {"ws": "http", "wss": "https"}[scheme]
    headers = {"origin": f"{page}://127.0.0.1:8000", "sec-fetch-site": "same-origin"}
    auth = Auth(Settings(_env_file=None), database)
    who = await auth.principal(HTTPConnection(handshake(scheme, **headers)))
    assert who == await auth.developer.principal()


class Visitor:
    """A browser's tab: what it has of the gateway is a token, and later a cookie."""

    def __init__(self, database: Database) -> None:
        self.clock = Clock()
        settings = Settings(_env_file=None, dev_open=False)
        self.auth = Auth(settings, database, self.clock)
        app = create_app(settings, database, self.auth)
        transport = httpx2.ASGITransport(app)
        self.client = httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000")

    async def exchange(self, token: Any) -> httpx2.Response:
        return await self.client.post("/session", json={"token": token})

    async def ask(self, **headers: str) -> int:
        body = {"query": "{ users { totalCount } }"}
        return (await self.client.post("/graphql", json=body, headers=headers)).status_code


@pytest.fixture
def visitor(database: Database) -> Visitor:
    return Visitor(database)


async def test_a_closed_gateway_is_opened_by_its_token_once(visitor: Visitor) -> None:
    assert await visitor.ask() == 401
    token = visitor.auth.session.token

    response = await visitor.exchange(token)

    assert response.status_code == 204
    cookie = response.headers["set-cookie"]
    assert cookie.startswith("dreamnet_session=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert await visitor.ask() == 200
    assert await visitor.ask(origin="https://evil.example") == 403
    assert (await visitor.exchange(token)).status_code == 403


async def test_the_token_is_good_for_ten_minutes(visitor: Visitor) -> None:
    visitor.clock.now += 600
    assert (await visitor.exchange(visitor.auth.session.token)).status_code == 403
    assert await visitor.ask() == 401


@pytest.mark.parametrize("token", ["", "wrong", None, 3])
async def test_other_tokens_open_nothing(visitor: Visitor, token: Any) -> None:
    assert (await visitor.exchange(token)).status_code == 403
    visitor.client.cookies.set("dreamnet_session", str(token))
    assert await visitor.ask() == 401


@pytest.mark.parametrize(
    ("content", "content_type", "status"),
    [
        (b"token=x", "application/x-www-form-urlencoded", 415),
        (b"nonsense", "application/json", 400),
        (b"[]", "application/json", 403),
        (b"x" * 2000, "application/json", 413),
    ],
)
async def test_odd_exchanges(
    visitor: Visitor, content: bytes, content_type: str, status: int
) -> None:
    headers = {"content-type": content_type}
    response = await visitor.client.post("/session", content=content, headers=headers)
    assert response.status_code == status
    assert response.json()["errors"]


async def test_the_cookie_counts_in_one_process_only(database: Database, visitor: Visitor) -> None:
    await visitor.exchange(visitor.auth.session.token)
    other = Visitor(database)
    other.client.cookies = visitor.client.cookies
    assert await other.ask() == 401


async def test_an_open_gateway_has_no_sessions(development: Starlette) -> None:
    assert (await get(development, "/session")).status_code == 404
