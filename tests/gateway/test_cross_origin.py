"""Cross-origin requests: pages of listed origins use the API from a browser, and no others."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus

from db import Database
from gateway.app import create_app
from gateway.origins import Origins
from gateway.settings import Settings, SettingsRefused, load
from support.browser import chromium
from support.gateways import gateway, make_key, production
from support.http_client import client_of
from support.running_gateway import serving
from support.stream_client import HISTORY, listening
from support.websocket_client import dialled

LISTED = "https://app.example.org,http://localhost:*"
APP, LOCAL, EVIL = "https://app.example.org", "http://localhost:5173", "https://evil.example"
VIEWER = {"query": "{ viewer { role } }"}
ALLOWED = {
    "access-control-allow-credentials": "true",
    "access-control-expose-headers": "ETag, Retry-After, WWW-Authenticate, X-Request-Id",
}


def allowing(response: httpx2.Response) -> dict[str, str]:
    """The headers of a response that concern other origins."""
    return {k: v for k, v in response.headers.items() if k.startswith("access-control-")}


def allowed(origin: str) -> dict[str, str]:
    return ALLOWED | {"access-control-allow-origin": origin}


@pytest.fixture
def listed() -> Settings:
    return production(cors_origins=LISTED, spread_seconds=0, drain_seconds=0)


@pytest.fixture
async def pages(listed: Settings, database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(gateway(listed, database)) as client:
        yield client


@pytest.mark.parametrize("path", ["/graphql", "/schema.graphql", "/health"])
@pytest.mark.parametrize("origin", [APP, LOCAL, "http://localhost", "http://localhost:80"])
async def test_preflight_of_a_listed_origin(
    pages: httpx2.AsyncClient, origin: str, path: str
) -> None:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type,x-anything",
    }
    response = await pages.options(path, headers=headers)
    assert response.status_code == 200
    assert allowing(response) == {
        "access-control-allow-origin": origin,
        "access-control-allow-credentials": "true",
        "access-control-allow-methods": "GET, HEAD, POST",
        "access-control-allow-headers": "authorization,content-type,x-anything",
        "access-control-max-age": "7200",
    }
    assert "Origin" in response.headers["vary"].split(", ")


UNLISTED = [EVIL, "null", "https://app.example.org:8443", "https://app.example.org.evil.example"]
UNLISTED += ["http://app.example.org", "http://localhost:5173.evil.example", "http://localhost:"]
UNLISTED += ["http://localhost:5173/", "http://localhost:\u0663", "", "http://[", "é"]


@pytest.mark.parametrize("origin", UNLISTED)
async def test_other_origins_are_not_allowed(pages: httpx2.AsyncClient, origin: str) -> None:
    name = {"origin": origin.encode()}
    preflight = {**name, "access-control-request-method": b"POST"}
    refused = await pages.options("/graphql", headers=preflight)  # type: ignore[arg-type]  # bytes
    answered = await pages.post("/graphql", json=VIEWER, headers=name)  # type: ignore[arg-type]  # bytes
    assert (refused.status_code, answered.status_code) == (403, 401)
    assert allowing(refused) == allowing(answered) == {}
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert "Origin" in refused.headers["vary"]
    assert "Origin" in answered.headers["vary"]


async def test_preflight_of_a_method_that_the_api_does_not_have(pages: httpx2.AsyncClient) -> None:
    headers = {"origin": APP, "access-control-request-method": "DELETE"}
    assert (await pages.options("/graphql", headers=headers)).status_code == 400


async def test_no_origin_is_allowed_unless_listed(database: Database) -> None:
    async with client_of(gateway(production(), database)) as client:
        response = await client.post("/graphql", json=VIEWER, headers={"origin": APP})
        assert allowing(response) == {}
        assert "Origin" not in response.headers["vary"]
        assert (await client.options("/graphql", headers={"origin": APP})).status_code == 405


async def test_pages_can_read_every_response(
    pages: httpx2.AsyncClient, listed: Settings, database: Database
) -> None:
    key = {"authorization": f"Bearer {(await make_key(database, listed)).text}"}
    large = b" " * (listed.max_body_bytes + 1)
    requests: list[tuple[int, dict[str, Any]]] = [
        (200, {"headers": key, "json": VIEWER}),
        (401, {"json": VIEWER}),
        (400, {"headers": key, "json": {"query": 7}}),
        (413, {"headers": key | {"content-type": "application/json"}, "content": large}),
        (415, {"headers": key, "content": b"{}"}),
        (404, {"url": "/elsewhere", "json": {}}),
        (307, {"url": "/graphql/", "json": {}}),
    ]
    for status, more in requests:
        headers = more.pop("headers", {}) | {"origin": LOCAL}
        response = await pages.post(more.pop("url", "/graphql"), headers=headers, **more)
        assert (response.status_code, allowing(response)) == (status, allowed(LOCAL))
        assert "Origin" in response.headers["vary"]


async def test_pages_can_read_that_they_sent_too_much(database: Database) -> None:
    settings = production(
        cors_origins=APP, public_read=True, budget_points_per_minute_anonymous=150
    )
    async with client_of(gateway(settings, database)) as client:
        costly = {"query": "{ modelComparison { rows { model } } }"}
        for _ in range(2):
            response = await client.post("/graphql", json=costly, headers={"origin": APP})
    assert response.status_code == 429
    assert allowing(response) == allowed(APP)
    assert "retry-after" in response.headers


async def test_pages_can_read_that_the_gateway_failed(database: Database) -> None:
    app = create_app(production(cors_origins=APP), database)
    app.state.health = None

    async def failing(_: object) -> None:
        raise ZeroDivisionError

    app.router.routes[0].endpoint = failing  # type: ignore[attr-defined]  # a Route
    app.router.routes[0].app = failing  # type: ignore[attr-defined]
    async with client_of(app) as client:
        response = await client.get("/", headers={"origin": APP})
    assert response.status_code == 500
    assert allowing(response) == allowed(APP)


async def test_streams_of_pages(database: Database, listed: Settings) -> None:
    """A browser asks nothing before it opens a WebSocket or an event stream."""
    key = {"authorization": f"Bearer {(await make_key(database, listed)).text}"}
    async with serving(listed, database) as served, AsyncExitStack() as stack:
        own = served.address
        for origin in (APP, LOCAL, own, None):
            headers = key if origin is None else {**key, "origin": origin}
            headers["host"] = own.removeprefix("http://")
            stream = await stack.enter_async_context(listening(served.address, **headers))
            assert stream.status == 200
            named = headers.get("origin")
            found = stream.head.get("access-control-allow-origin")
            assert found == (named if named in (APP, LOCAL) else None)
            del headers["host"]
            socket = await stack.enter_async_context(
                dialled(served.address, additional_headers=headers)
            )
            await socket.greet()
        for origin in (EVIL, "null", "http://["):
            headers = {**key, "origin": origin}
            refused = await stack.enter_async_context(listening(served.address, **headers))
            assert refused.status == 403
            with pytest.raises(InvalidStatus) as closed:
                await stack.enter_async_context(dialled(served.address, additional_headers=headers))
            assert closed.value.response.status_code == 403


IN_PAGE = """async ([address, key]) => {
  const headers = { "content-type": "application/json", authorization: key };
  const body = JSON.stringify({ query: "{ viewer { role } }" });
  const failed = (error) => error.name;
  const post = (headers) => fetch(address, { method: "POST", headers, body }).then(
    async (response) => [await response.text(), response.headers.get("x-request-id") !== null],
    failed,
  );
  const query = "subscription { agentStatus { kind } }";
  const stream = await fetch(`${address}?query=${query}`, {
    headers: { accept: "text/event-stream", authorization: key },
  }).then(async (response) => {
    const reader = response.body.getReader();
    await reader.read();
    await reader.cancel();
    return response.status;
  }, failed);
  const socket = await new Promise((resolve) => {
    const opened = new WebSocket(address.replace("http", "ws"), "graphql-transport-ws");
    opened.onopen = () => resolve("open");
    opened.onerror = () => resolve("error");
  });
  const answer = await post(headers);
  delete headers.authorization;
  return { answer, refused: await post(headers), stream, socket };
}"""


async def test_pages_in_a_browser(database: Database) -> None:
    """A page of 127.0.0.1 uses the gateway on localhost, and not the other way round."""
    settings = production(cors_origins="http://127.0.0.1:*", spread_seconds=0, drain_seconds=0)
    key = f"Bearer {(await make_key(database, settings)).text}"
    async with serving(settings, database) as served, chromium() as browser:
        here, there = served.address, served.address.replace("127.0.0.1", "localhost")
        page = await browser.new_page()
        await page.goto(f"{here}/livez")
        found = await page.evaluate(IN_PAGE, [f"{there}/graphql", key])
        await page.goto(f"{there}/livez")
        other = await page.evaluate(IN_PAGE, [f"{here}/graphql", key])
    assert found["answer"] == ['{"data":{"viewer":{"role":"MEMBER"}}}', True]
    assert "Sign in" in found["refused"][0]
    assert (found["stream"], found["socket"]) == (200, "open")
    assert other == dict.fromkeys(("answer", "refused", "stream"), "TypeError") | {
        "socket": "error"
    }


async def test_multipart_subscriptions_of_pages(
    pages: httpx2.AsyncClient, listed: Settings, database: Database
) -> None:
    key = {"authorization": f"Bearer {(await make_key(database, listed)).text}"}
    headers = {**key, "origin": EVIL, "accept": "multipart/mixed"}
    response = await pages.post("/graphql", json={"query": HISTORY}, headers=headers)
    assert response.status_code == 403


DEVELOPMENT = {"_env_file": None, "cors_origins": "http://localhost:*"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": LOCAL, "sec-fetch-site": "same-site"}, 200),
        ({"origin": LOCAL, "sec-fetch-site": "cross-site"}, 200),
        ({"origin": "http://127.0.0.1:5173", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": EVIL, "sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),  # a link, an image
    ],
)
async def test_listed_pages_are_the_developer(
    database: Database, headers: dict[str, str], status: int
) -> None:
    app = create_app(Settings(**DEVELOPMENT), database)
    async with client_of(app) as client:
        response = await client.post("/graphql", json=VIEWER, headers=headers)
    assert response.status_code == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [(LOCAL, 200), ("http://127.0.0.1:5173", 200), ("http://[", 403), (EVIL, 403), ("null", 403)],
)
async def test_a_development_server_that_replaces_the_host(
    database: Database, origin: str, status: int
) -> None:
    """Vite with `changeOrigin: true`: the page and its requests have one origin, which is not that
    of the gateway."""
    headers = {"origin": origin, "sec-fetch-site": "same-origin"}
    async with client_of(create_app(Settings(_env_file=None), database)) as client:
        response = await client.post("/graphql", json=VIEWER, headers=headers)
    assert response.status_code == status


INVALID = ["*", "", "app.example.org", "https://app.example.org/", "https://a.example/path", "null"]
INVALID += ["ftp://a.example", "https://a.example:", "https://*.a.example", "https://a@b.example"]
INVALID += ["https://a.example,", "https://a b.example", "http://:*", "https://a.example:**"]


@pytest.mark.parametrize("text", INVALID)
def test_invalid_origins_are_refused_at_start(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if text == "":
        with pytest.raises(ValueError, match="nothing is no origin"):
            Origins(text)
        return
    monkeypatch.setenv("DREAMNET_CORS_ORIGINS", text)
    with pytest.raises(SettingsRefused) as refused:
        load()
    assert str(refused.value).startswith("DREAMNET_CORS_ORIGINS is invalid: ")
    assert "list origins such as https://app.example.org" in str(refused.value)


def test_origins_are_compared_as_browsers_write_them() -> None:
    origins = Origins(" HTTPS://App.Example.Org:443 , http://[::1]:* ")
    assert origins.allow("https://app.example.org")
    assert origins.allow("http://[::1]:3000")
    assert not origins.allow("https://app.example.org:444")
