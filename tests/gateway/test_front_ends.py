"""Front ends: docs/front-ends.md, and the development server of Vite before the gateway."""

import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import orjson
import pytest
from graphql import parse, validate

from db import Database
from gateway.settings import Settings
from graph.schema import schema
from support.browser import chromium
from support.factories import make_user
from support.gateways import make_key, production
from support.nodejs import TESTS, installed, run
from support.oidc_issuer import AUDIENCE, Issuer
from support.running_gateway import serving
from support.stream_client import listening
from support.vite import vite
from support.websocket_client import dialled

FOLDER = TESTS / "front_ends"
ROOT = TESTS.parent
BLOCK = r"^```([a-z]+)\n(.*?)^```$"
DOCUMENT = (ROOT / "docs" / "front-ends.md").read_text()
CHANGING = """export default {
  server: { proxy: { "/graphql": { target: "%s", changeOrigin: true, ws: true%s } } },
};
"""
REFUSED = dict.fromkeys(("title", "tags.0"), "This text must have 1 to 200 characters.")
QUERY = {"query": "{ viewer { role } }"}


def test_the_document_shows_the_tested_code() -> None:
    shown = re.findall(r"^`(tests/[^`]+)`:\n\n```[a-z]+\n(.*?)^```$", DOCUMENT, re.DOTALL | re.M)
    texts = {text for _, text in shown}
    others = [
        each for each in re.findall(BLOCK, DOCUMENT, re.DOTALL | re.M) if each[1] not in texts
    ]
    assert {kind for kind, _ in others} <= {"graphql"}
    for _, operation in others:
        assert validate(schema._schema, parse(operation)) == []
    assert [name for name, text in shown if text != (ROOT / name).read_text()] == []


@pytest.fixture
async def gateway(database: Database) -> AsyncIterator[str]:
    async with serving(Settings(_env_file=None), database) as served:
        yield served.address


async def query_and_follow(page: str, socket_headers: dict[str, str]) -> None:
    """As a page of this address does."""
    headers = {"origin": page, "sec-fetch-site": "same-origin"}
    async with httpx2.AsyncClient(timeout=20) as client:
        response = await client.post(f"{page}/graphql", json=QUERY, headers=headers)
    assert response.json() == {"data": {"viewer": {"role": "ADMIN"}}}
    host = page.removeprefix("http://")
    async with listening(page, **headers, host=host) as stream:
        assert stream.status == 200
    async with dialled(page, additional_headers=socket_headers) as socket:
        await socket.greet()
        assert await socket.answer("1", QUERY["query"]) == {"data": {"viewer": {"role": "ADMIN"}}}


async def test_the_proxy_of_the_document(gateway: str) -> None:
    await installed(FOLDER)
    async with vite(FOLDER, GATEWAY=gateway) as page:
        await query_and_follow(page, {"origin": page})


async def test_a_proxy_that_replaces_the_host(gateway: str, tmp_path: Path) -> None:
    config = tmp_path / "vite.config.mjs"
    config.write_text(CHANGING % (gateway, ", rewriteWsOrigin: true"))
    await installed(FOLDER)
    async with vite(FOLDER, "--config", str(config)) as page:
        await query_and_follow(page, {"origin": page})


async def test_a_front_end_with_generated_types(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installed(FOLDER)
    for file in (*FOLDER.glob("*.ts"), *FOLDER.glob("*.json")):
        shutil.copy(file, tmp_path)
    (tmp_path / "node_modules").symlink_to(FOLDER / "node_modules")
    settings = Settings(_env_file=None, key_pepper="p" * 32)
    user = await make_user(database, role="MEMBER")
    monkeypatch.setenv("DREAMNET_KEY", (await make_key(database, settings, user_id=user.id)).text)
    monkeypatch.setenv("SCHEMA", str(ROOT / "schema.graphql"))

    codegen = "node_modules/.bin/graphql-codegen"
    await run("node", codegen, "--config", "codegen.ts", folder=tmp_path)
    await run("node", "node_modules/typescript/bin/tsc", "--project", ".", folder=tmp_path)
    async with serving(settings, database) as served:
        told = orjson.loads(await run("node", "typed-run.ts", served.address, folder=tmp_path))

    ids = [each["id"] for each in told["created"]]
    assert told["listed"] == [[id, title, "string"] for id, title in zip(ids, "abcde", strict=True)]
    assert told["refused"] == {"messages": REFUSED}
    assert told["failed"].startswith("This credential is not valid")


async def test_a_page_signs_in_with_an_oidc_library(issuer: Issuer, database: Database) -> None:
    await installed(FOLDER)
    settings = production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    async with (
        serving(settings, database) as served,
        vite(FOLDER, GATEWAY=served.address, VITE_ISSUER=issuer.url) as address,
        chromium() as browser,
    ):
        page = await browser.new_page()
        await page.goto(f"{address}/sign-in.html")
        shown = await page.locator("#viewer:not(:empty)").text_content()
        visited = page.url
    assert shown
    assert orjson.loads(shown) == {
        "data": {"viewer": {"role": "MEMBER", "user": {"email": "ada@example.org"}}}
    }
    assert visited == f"{address}/sign-in.html"
