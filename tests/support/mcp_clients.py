"""MCP clients: over stdio, over HTTP, and without a process of their own."""

import os
import sys
from asyncio.subprocess import create_subprocess_exec
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

from db import Database
from db.users import Role
from gateway.mcp.api import Api
from gateway.mcp.server import Tools
from support.factories import make_user
from support.gateways import make_key, production
from support.wait import patience, until

READING_DREAMS = ["find_dreams", "get_dream"]
READING_TESTS = ["compare_models", "find_ai_tests", "get_decay"]
ADDRESS = "http://127.0.0.1"


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
