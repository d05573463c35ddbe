"""MCP tools, called with keys over a gateway in production: rights, errors and limits."""

from pathlib import Path

import pytest
from mcp import MCPError

from db import Database
from db.dreams import Dream
from db.users import Role
from gateway.cli.mcp import manifest
from gateway.mcp.documents import tool_documents
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.factories import make_dream
from support.gateways import production
from support.mcp_clients import READING_DREAMS, READING_TESTS, connected, key_of, names, texts
from support.mutations import stored
from support.running_gateway import Served, serving


@pytest.fixture
def settings() -> Settings:
    return production()


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
