"""Prefix: the gateway under a path of a proxy, which removes it or not, and names it or not."""

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Page
from websockets.asyncio.client import connect

from db import Database
from gateway.auth.authenticator import Auth
from gateway.settings import Settings
from support.console import browsing, build_console
from support.factories import make_dream
from support.reverse_proxy import proxied
from support.stream_client import port
from support.wait import until
from support.websocket_client import PROTOCOL, serving

PREFIX = "/dreamnet"
TOLD = {"X-Forwarded-Prefix": PREFIX, "X-Forwarded-For": "127.0.0.1"}
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {  # settings, and what the proxy does
    "not told": ({}, {}),
    "header": ({}, {"headers": TOLD}),
    "setting": ({"root_path": PREFIX}, {}),
    "not removed": ({"root_path": PREFIX}, {"strips": False}),
    "not removed, header": ({}, {"strips": False, "headers": TOLD}),
}


@asynccontextmanager
async def shown(
    way: str, database: Database, auth: Auth | None = None, **more: Any
) -> AsyncIterator[str]:
    """The address of a gateway behind such a proxy."""
    set, does = WAYS[way]
    settings = Settings(_env_file=None, **set, **more)
    async with (
        serving(settings, database, auth) as gateway,
        proxied(gateway, PREFIX, **does) as address,
    ):
        yield address


@pytest.mark.parametrize("way", WAYS)
async def test_everything_is_found_under_the_prefix(way: str, database: Database) -> None:
    async with shown(way, database) as address, httpx2.AsyncClient(timeout=20) as client:
        paths = ("/console", "/graphiql", "/schema.graphql", "/health", "/livez")
        for path in paths:
            assert (await client.get(address + path)).status_code == 200, path
        query = {"query": "{ __typename }"}
        answer = await client.post(f"{address}/graphql", json=query)
        assert answer.json() == {"data": {"__typename": "Query"}}
        url = f"{address.replace('http', 'ws', 1)}/graphql"
        async with connect(url, subprotocols=[PROTOCOL], proxy=None) as socket:
            await socket.send('{"type":"connection_init"}')
            assert await socket.recv() == '{"type":"connection_ack"}'


@pytest.mark.parametrize("way", WAYS)
async def test_redirects_stay_under_the_prefix(way: str, database: Database) -> None:
    html = {"accept": "text/html"}
    async with (
        shown(way, database) as address,
        httpx2.AsyncClient(follow_redirects=True, timeout=20, headers=html) as client,
    ):
        for path in ("/graphql", "/graphql/", "/graphiql/"):
            answer = await client.get(address + path)
            assert (answer.status_code, str(answer.url)) == (200, f"{address}/graphiql"), path
        answer = await client.get(f"{address}/")
        assert (answer.status_code, str(answer.url)) == (200, f"{address}/console")
        answer = await client.get(f"{address}/graphql/?query=%7Bviewer%7D")
        assert str(answer.url) == f"{address}/graphiql?query=%7Bviewer%7D"
        json = {"accept": "application/json"}
        query = {"query": "{ __typename }"}
        answer = await client.post(f"{address}/graphql/", json=query, headers=json)
        assert (answer.status_code, str(answer.url)) == (200, f"{address}/graphql")


async def test_only_a_trusted_proxy_names_a_prefix(database: Database) -> None:
    named = {"X-Forwarded-Prefix": "/elsewhere"}
    for trusted, location in (("none", "console"), ("127.0.0.1", "/elsewhere/console")):
        settings = Settings(_env_file=None, trusted_proxies=trusted)
        async with serving(settings, database) as address, httpx2.AsyncClient() as client:
            answer = await client.get(f"{address}/", headers=named)
            assert answer.headers["location"] == location


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "https://evil.example", "/a?b", "/a b", "/../a", "/a,/b", "a", "/"]
)
async def test_a_prefix_is_a_path(database: Database, prefix: str) -> None:
    settings = Settings(_env_file=None)
    async with serving(settings, database) as address, httpx2.AsyncClient() as client:
        answer = await client.get(f"{address}/", headers={"X-Forwarded-Prefix": prefix})
        assert answer.headers["location"] == "console"


async def tried(page: Page) -> None:
    """Queries and subscriptions are answered, and GraphiQL knows the schema."""
    await page.get_by_text("Newest of 1 dreams").wait_for()
    await page.get_by_text("LIVE").first.wait_for()
    await page.get_by_role("link", name="Fly").click()
    await page.get_by_role("heading", name="Fly").wait_for()


@pytest.mark.parametrize("way", ["not told", "header", "not removed"])
async def test_the_console_works_under_the_prefix(way: str, database: Database) -> None:
    await make_dream(database, title="Fly")
    await build_console()
    async with shown(way, database) as address, browsing(address) as watched:
        await watched.page.goto(f"{address}/")
        await tried(watched.page)
        assert watched.page.url.startswith(f"{address}/console/dreams/dream_")
        await watched.page.reload()
        await watched.page.get_by_role("heading", name="Fly").wait_for()
        await watched.page.goto(f"{address}/graphiql")
        await watched.page.get_by_text("LatestDreams").first.wait_for()


async def test_the_console_signs_in_under_the_prefix(database: Database) -> None:
    await build_console()
    await make_dream(database, title="Fly")
    settings = Settings(_env_file=None, dev_open=False)
    auth = Auth(settings, database)
    async with (
        shown("header", database, auth, dev_open=False) as address,
        browsing(address) as watched,
    ):
        await watched.page.goto(f"{address}/console?token={auth.session.token}")
        await tried(watched.page)
        (cookie,) = await watched.page.context.cookies()
        assert (cookie["path"], cookie["sameSite"], cookie["httpOnly"]) == (PREFIX, "Strict", True)


# The real thing.

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {prefix}/ {{
      proxy_pass http://127.0.0.1:{upstream}/;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $http_connection;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Prefix {prefix};
    }}
  }}
}}
"""


@contextmanager
def nginx(folder: Path, upstream: str, listen: int) -> Iterator[str]:
    """The address of a gateway behind nginx."""
    file = folder / "nginx.conf"
    named = {"folder": folder, "port": listen, "prefix": PREFIX, "upstream": port(upstream)}
    file.write_text(CONFIGURATION.format(**named))
    with subprocess.Popen([NGINX, "-c", file, "-e", folder / "error.log"]) as process:
        try:
            yield f"http://127.0.0.1:{listen}{PREFIX}"
        finally:
            process.terminate()


@pytest.mark.skipif(not Path(NGINX).exists(), reason="NOT TESTED WITH NGINX: it is not installed")
async def test_behind_nginx(database: Database, tmp_path: Path, unused_tcp_port: int) -> None:
    await make_dream(database, title="Fly")
    async with serving(Settings(_env_file=None), database) as gateway:
        with nginx(tmp_path, gateway, unused_tcp_port) as address:
            async with httpx2.AsyncClient() as client:
                await until(lambda: answers(client, address))
            await build_console()
            async with browsing(address) as watched:
                await watched.page.goto(f"{address}/")
                await tried(watched.page)


async def answers(client: httpx2.AsyncClient, address: str) -> bool:
    try:
        return bool((await client.get(f"{address}/livez")).status_code == 200)
    except httpx2.TransportError:
        return False
