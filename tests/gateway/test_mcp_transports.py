"""MCP over stdio and HTTP, with keys, over a gateway in production."""

from pathlib import Path

import httpx2
import pytest

from db import Database
from db.dreams import Dream
from gateway.cli.mcp import NO_HOSTS, NO_KEY
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.commands import commands
from support.factories import make_ai_test
from support.gateways import production
from support.mcp_clients import READING_DREAMS, http_client, key_of, names, over_http, stdio, texts
from support.mutations import stored
from support.running_gateway import Served


@pytest.fixture
def settings() -> Settings:
    return production()


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_dream_is_created_and_read(served: Served, database: Database, mode: str) -> None:
    async with stdio(served.address, await key_of(database), mode) as client:
        given = {"title": "Fold paper", "category": "SCIENCE", "tags": ["hands"]}
        made = await client.call_tool("create_dream", given)
        [row] = await stored(database, Dream)
        assert (row.title, row.category, row.tags) == ("Fold paper", "SCIENCE", ["hands"])
        dream = {"id": global_id(row), "slug": row.slug, "title": row.title, "status": "ACTIVE"}
        assert made.structured_content == {"createDream": {"dream": dream, "errors": []}}
        assert not made.is_error

        await make_ai_test(database, dream_id=row.id, impossibility_score=70)
        found = await client.call_tool("find_dreams", {"search": "paper", "tags": ["hands"]})
        [shown] = found.structured_content["dreams"]["nodes"]
        assert (shown["id"], shown["title"]) == (dream["id"], "Fold paper")
        tests = await client.call_tool("find_ai_tests", {"dreamId": dream["id"]})
        [test] = tests.structured_content["aiTests"]["nodes"]
        assert (test["impossibilityScore"], test["dream"]["id"]) == (70, dream["id"])


async def test_each_client_has_the_rights_of_its_key(
    served: Served, database: Database, unused_tcp_port: int
) -> None:
    reader = await key_of(database, scopes=["dreams:read"])
    writer = await key_of(database, scopes=["dreams:write"])
    async with over_http(served.address, unused_tcp_port) as url:
        async with http_client(url, reader) as client:
            assert await names(client) == READING_DREAMS
            refused = await client.call_tool("create_dream", {"title": "Fly"})
            assert texts(refused)[0].startswith("FORBIDDEN: ")
        async with http_client(url, writer) as client:
            assert not (await client.call_tool("create_dream", {"title": "Fly"})).is_error
    assert [row.title for row in await stored(database, Dream)] == ["Fly"]


async def test_strangers_are_refused(
    served: Served, database: Database, unused_tcp_port: int
) -> None:
    headers = {"authorization": f"Bearer {await key_of(database)}"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    host = ("--allowed-host", "mcp.example.org", "--allowed-origin", "https://example.org")
    async with (
        over_http(served.address, unused_tcp_port, *host) as url,
        httpx2.AsyncClient() as client,
    ):

        async def status(body: object = body, **more: str) -> int:
            sent = headers | {"accept": "application/json, text/event-stream"} | more
            return (await client.post(url, json=body, headers=sent)).status_code

        assert await status() == 200
        assert await status(authorization="Bearer wrong") == 401
        assert await status(host="evil.example") == 421
        assert await status(host="mcp.example.org") == 200
        assert await status(origin="https://evil.example") == 403
        assert await status(origin="https://example.org") == 200
        assert await status(body="x" * 1024 * 1024) == 413
        missing = await client.post(url, json=body)
        assert missing.status_code == 401
        assert missing.headers["www-authenticate"] == "Bearer"
        assert missing.json()["errors"][0]["extensions"] == {"code": "UNAUTHENTICATED"}
        await served.stop()
        assert await status() == 503


def test_a_key_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DREAMNET_MCP_KEY", raising=False)
    with commands(monkeypatch, tmp_path) as dreamnet:
        assert dreamnet("mcp") == 2
        assert capsys.readouterr().err == f"{NO_KEY}\n"
        assert dreamnet("mcp", "--transport", "http", "--host", "0.0.0.0") == 2  # noqa: S104
        assert capsys.readouterr().err == f"{NO_HOSTS}\n"
