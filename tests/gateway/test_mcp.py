"""MCP over stdio and HTTP, with keys, over a gateway in production."""

import os
import sys
from asyncio.subprocess import create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import jsonschema
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from db import Database
from db.dreams import Dream
from db.users import Role
from gateway.cli.mcp import NO_HOSTS, NO_KEY, manifest
from gateway.mcp.api import Api
from gateway.mcp.documents import tool_documents
from gateway.mcp.server import Tools
from graph.core.types.node import global_id
from support.commands import commands
from support.factories import make_ai_test, make_dream, make_user
from support.gateways import make_key, production
from support.mutations import stored
from support.running_gateway import Served, serving
from support.wait import patience, until

READING_DREAMS = ["find_dreams", "get_dream"]
READING_TESTS = ["compare_models", "find_ai_tests", "get_decay"]
ADDRESS = "http://127.0.0.1"


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(production(), Database(database_url)) as served:
        yield served


async def key_of(database: Database, role: Role = Role.MEMBER, **more: Any) -> str:
    user = await make_user(database, role=role)
    return (await make_key(database, production(), user_id=user.id, **more)).text


def command(address: str, *options: str) -> list[str]:
    return ["-m", "gateway", "mcp", "--url", address, *options]


@asynccontextmanager
async def stdio(address: str, key: str, mode: Any = "auto") -> AsyncIterator[Client]:
    environment = {"DREAMNET_MCP_KEY": key, "PATH": os.environ["PATH"]}
    server = StdioServerParameters(
        command=sys.executable, args=command(address), env=environment, cwd=Path.cwd()
    )
    async with Client(server, mode=mode) as client:
        yield client


@asynccontextmanager
async def connected(address: str, key: str) -> AsyncIterator[Client]:
    """A client of the same server without a process of its own, which would take seconds."""
    async with (
        httpx2.AsyncClient(base_url=address) as http,
        Client(Tools(Api(http), lambda _: f"Bearer {key}").server()) as client,
    ):
        yield client


@asynccontextmanager
async def over_http(address: str, port: int, *options: str) -> AsyncIterator[str]:
    """The address of `dreamnet mcp --transport http`, which is stopped at the end."""
    at = ["--transport", "http", "--port", str(port), *options]
    process = await create_subprocess_exec(sys.executable, *command(address, *at))
    url = f"{ADDRESS}:{port}/mcp"
    try:
        async with httpx2.AsyncClient() as client:
            await until(lambda: answers(client, url))
        yield url
    finally:
        process.terminate()
        async with patience():
            await process.wait()


async def answers(client: httpx2.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(url)).status_code == 401
    except httpx2.TransportError:
        return False


@asynccontextmanager
async def http_client(url: str, key: str) -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        yield client


async def names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]


def texts(result: Any) -> list[str]:
    return [content.text for content in result.content]


# Declarations


def test_a_tool_is_a_document() -> None:
    folder = files("gateway.mcp").joinpath("tools")
    assert {f"{name}.graphql" for name in tool_documents()} == {
        file.name for file in folder.iterdir()
    }


@pytest.mark.parametrize("name", tool_documents())
def test_a_tool_is_described(name: str) -> None:
    tool = tool_documents()[name].tool()
    jsonschema.Draft202012Validator.check_schema(tool.input_schema)
    assert tool.description
    undescribed = [
        argument
        for argument, schema in tool.input_schema["properties"].items()
        if not schema.get("description")
    ]
    assert undescribed == []


def test_arguments_follow_from_variables() -> None:
    assert tool_documents()["get_decay"].tool().input_schema == {
        "type": "object",
        "properties": {
            "dreamId": {"type": "string", "description": "ID of the dream."},
            "from": {
                "type": "string",
                "format": "date-time",
                "description": "Start of the time range, inclusive.",
            },
            "to": {
                "type": "string",
                "format": "date-time",
                "description": "End of the time range, exclusive.",
            },
            "bucket": {
                "type": "string",
                "enum": ["MINUTE", "HOUR", "DAY", "WEEK", "MONTH"],
                "description": "Width of each bucket.",
                "default": "DAY",
            },
        },
        "required": ["dreamId"],
        "additionalProperties": False,
    }


def test_arguments_of_mutations_are_fields_of_their_input() -> None:
    schema = tool_documents()["create_dream"].tool().input_schema
    assert set(schema["properties"]) == {
        *("title", "description", "originalPrompt", "category", "tags", "isPublic", "status"),
        "idempotencyKey",
    }
    assert schema["required"] == ["title"]
    assert schema["properties"]["status"]["default"] == "ACTIVE"
    assert schema["properties"]["tags"]["items"] == {"type": "string"}


# Over stdio


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


# Rights, errors and limits


async def test_a_key_decides_about_the_tools(served: Served, database: Database) -> None:
    scopes = ["dreams:read", "dreams:write"]
    async with connected(served.address, await key_of(database, scopes=scopes)) as client:
        assert await names(client) == [*READING_DREAMS, "create_dream"]
    async with connected(served.address, await key_of(database)) as client:
        reads = sorted([*READING_DREAMS, *READING_TESTS, "get_my_usage"])
        assert await names(client) == [*reads, "create_dream", "record_ai_test"]
    async with connected(served.address, await key_of(database, Role.ADMIN)) as client:
        assert await names(client) == list(tool_documents())
    async with connected(served.address, "wrong") as client:
        with pytest.raises(MCPError, match="UNAUTHENTICATED: This credential is not valid"):
            await client.list_tools()


async def test_errors_are_told_in_words(served: Served, database: Database) -> None:
    async with connected(served.address, await key_of(database)) as client:
        unnamed = await client.call_tool("create_dream", {"title": ""})
        assert unnamed.is_error
        assert texts(unnamed)[0].startswith("INVALID: ")
        unknown = await client.call_tool("find_dreams", {"status": "ASLEEP"})
        assert unknown.is_error
        assert texts(unknown)[0].startswith("BAD_USER_INPUT: ")
        forbidden = await client.call_tool("find_events", {})
        assert forbidden.is_error
        assert texts(forbidden)[0].startswith("FORBIDDEN: ")
        with pytest.raises(MCPError, match="no tool with this name"):
            await client.call_tool("drop_tables", {})
    assert await stored(database, Dream) == []


async def test_rows_are_those_of_the_caller(served: Served, database: Database) -> None:
    private = await make_dream(database, is_public=False)
    async with connected(served.address, await key_of(database)) as client:
        read = await client.call_tool("get_dream", {"id": global_id(private)})
        assert read.structured_content == {"dream": None}
        found = await client.call_tool("find_dreams", {})
        assert found.structured_content["dreams"]["nodes"] == []


async def test_every_tool_that_reads_answers(served: Served, database: Database) -> None:
    dream = await make_dream(database)
    required = {"get_dream": {"id": global_id(dream)}, "get_decay": {"dreamId": global_id(dream)}}
    required["get_agent"] = {"key": "nobody"}
    async with connected(served.address, await key_of(database, Role.ADMIN)) as client:
        for tool in (await client.list_tools()).tools:
            if tool.annotations and tool.annotations.read_only_hint:
                result = await client.call_tool(tool.name, required.get(tool.name, {}))
                assert not result.is_error, (tool.name, texts(result))


async def test_calls_take_points(database_url: str, database: Database) -> None:
    settings = production(budget_points_per_minute=150)
    async with (
        serving(settings, Database(database_url)) as served,
        connected(served.address, await key_of(database)) as client,
    ):
        results = [await client.call_tool("compare_models", {}) for _ in range(3)]
    assert [result.is_error for result in results] == [False, True, True]
    assert texts(results[1])[0].startswith("RATE_LIMITED: ")


async def test_a_gateway_that_is_away(served: Served, database: Database) -> None:
    async with connected(served.address, await key_of(database)) as client:
        assert not (await client.call_tool("find_dreams", {})).is_error
        await served.stop()
        away = await client.call_tool("find_dreams", {})
        assert away.is_error
        assert texts(away) == [
            "SERVICE_UNAVAILABLE: The gateway does not respond. Try again in some seconds."
        ]


# Over HTTP


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


async def test_a_gateway_with_trusted_documents(
    database_url: str, database: Database, tmp_path: Path
) -> None:
    listed = tmp_path / "mcp.json"
    listed.write_text(manifest())
    async with (
        serving(production(trusted_documents=listed), Database(database_url)) as served,
        connected(served.address, await key_of(database)) as client,
    ):
        assert "find_dreams" in await names(client)
        assert not (await client.call_tool("find_dreams", {})).is_error


# Wrong usage


def test_a_key_is_needed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DREAMNET_MCP_KEY", raising=False)
    with commands(monkeypatch, tmp_path) as dreamnet:
        assert dreamnet("mcp") == 2
        assert capsys.readouterr().err == f"{NO_KEY}\n"
        assert dreamnet("mcp", "--transport", "http", "--host", "0.0.0.0") == 2  # noqa: S104
        assert capsys.readouterr().err == f"{NO_HOSTS}\n"
