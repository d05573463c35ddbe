"""How the console is served: policy, caching, encodings, and without a build."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from db import Database
from gateway import console
from gateway.settings import Settings
from support.gateways import gateway, production


@asynccontextmanager
async def client_of(database: Database, settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(gateway(settings, database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(database, production()) as client:
        yield client


def assets(page: str) -> list[str]:
    return re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page)


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/console", "console/"),
        ("/console/", "../console/"),
        ("/console/agents", "../console/"),
        ("/console/agents/prover", "../../console/"),
        ("/graphiql", "console/"),
    ],
)
async def test_pages_find_their_files_at_any_depth(
    client: httpx2.AsyncClient, path: str, folder: str
) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert f'<base href="{folder}">' in page.text
    for asset in assets(page.text):
        assert (await client.get(f"/console/{asset}")).status_code == 200


async def test_only_graphiql_may_have_other_styles_and_workers(client: httpx2.AsyncClient) -> None:
    common = (
        "default-src 'self'; img-src 'self' data:; base-uri 'self'; form-action 'none'; "
        "frame-ancestors 'none'; object-src 'none'; style-src 'self' "
    )
    page = await client.get("/console")
    [nonce] = re.findall(r'<meta name="nonce" content="([^"]+)">', page.text)
    assert page.headers["content-security-policy"] == f"{common}'nonce-{nonce}'"
    assert nonce not in (await client.get("/console")).text
    graphiql = (await client.get("/graphiql")).headers["content-security-policy"]
    monaco = "'unsafe-inline'; font-src 'self' data:; worker-src 'self' blob:"
    assert graphiql == common + monaco


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0", None), ("identity", None)],
)
async def test_files_are_immutable_and_compressed(
    client: httpx2.AsyncClient, accepted: str, encoding: str | None
) -> None:
    page = (await client.get("/console")).text
    script = next(each for each in assets(page) if each.endswith(".js"))
    response = await client.get(f"/console/{script}", headers={"accept-encoding": accepted})
    plain = await client.get(f"/console/{script}", headers={"accept-encoding": "identity"})
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "Accept-Encoding" in response.headers["vary"]
    assert response.content == plain.content


@pytest.mark.parametrize(
    "name", ["nothing.js", "..%2Findex.html", "%2Fetc%2Fpasswd", "index.html", ".js", "%00.js"]
)
async def test_other_files_are_not_found(client: httpx2.AsyncClient, name: str) -> None:
    response = await client.get(f"/console/assets/{name}")
    assert response.status_code == 404 or "<base" in response.text  # of a page of the console
    assert "root:" not in response.text


async def test_an_initial_load_is_small(client: httpx2.AsyncClient) -> None:
    """All that the first page loads at once, gzipped; GraphiQL is not in it."""
    files = list((console.BUILT / "assets").glob("*.gz"))
    page = (await client.get("/console")).text
    start = {f"{name.removeprefix('assets/')}.gz" for name in assets(page)}
    overview = next(file for file in files if file.name.startswith("Overview-"))
    text = overview.with_suffix("").read_text()
    imported = {f"{name}.gz" for name in re.findall(r'"\./([\w.-]+\.js)"', text)}
    sizes = {file.name: file.stat().st_size for file in files}
    loaded = {*start, *imported, overview.name}
    assert sum(sizes[name] for name in loaded) <= 250_000
    assert not [name for name in loaded if "monaco" in name or "graphiql" in name]


async def test_the_console_can_be_left_out(database: Database) -> None:
    async with client_of(database, production(console="off")) as client:
        for path in ("/console", "/graphiql", "/console/agents"):
            assert (await client.get(path)).status_code == 404
        home = await client.get("/")
        assert (home.status_code, home.headers["location"]) == (303, "schema.graphql")
        answer = await client.get("/graphql", headers={"accept": "text/html"})
        assert answer.status_code == 406


async def test_without_a_build_the_page_says_how_to_build_it(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(console, "BUILT", tmp_path / "nothing")
    monkeypatch.setattr(console, "PROGRESS", tmp_path / "progress")
    for path in ("/console", "/console/agents", "/graphiql"):
        page = await client.get(path)
        assert page.status_code == 200
        assert "make console" in page.text
    (tmp_path / "progress").write_text("compiling <b>")
    assert "<output>compiling &lt;b&gt;</output>" in (await client.get("/console")).text
