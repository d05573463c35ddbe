"""MCP: `dreamnet mcp`, tools for AI assistants over the API of a gateway."""

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import httpx2
import orjson
import uvicorn

from gateway.document_manifest import digest
from gateway.exit_codes import CommandFailed, ExitCode
from gateway.process.listener import listening
from gateway.setting_types import is_loopback

KEY = "DREAMNET_MCP_KEY"
NOT_INSTALLED = "Install what MCP needs: pip install 'dreamnet-gateway[mcp]'."
NO_KEY = f"Set {KEY} to an API key. Its role and scopes decide which tools there are."
NO_HOSTS = (
    "Name the hosts that clients reach this server by, for example "
    "--allowed-host mcp.example.org: other programs could reach it otherwise."
)

Transport = Literal["stdio", "http"]


@dataclass(frozen=True, slots=True)
class Options:
    url: str
    transport: Transport
    host: str
    port: int
    allowed_hosts: Sequence[str]
    allowed_origins: Sequence[str]


def check_installed() -> None:
    """Raises CommandFailed."""
    try:
        import mcp  # noqa: F401  is an extra
    except ImportError:
        raise CommandFailed(NOT_INSTALLED, ExitCode.USAGE) from None


def manifest() -> str:
    """The documents by their hashes, for gateways that execute those of a list only."""
    from gateway.mcp.api import VIEWER
    from gateway.mcp.documents import tool_documents

    texts = [VIEWER, *(each.text for each in tool_documents().values())]
    return orjson.dumps({digest(text): text for text in texts}, None, orjson.OPT_INDENT_2).decode()


def run(options: Options) -> None:
    """Serve until the client leaves, or Ctrl-C. Raises CommandFailed."""
    logging.getLogger("mcp").setLevel(logging.CRITICAL)  # it logs headers of clients
    asyncio.run(_stdio(options) if options.transport == "stdio" else _http(options))


async def _stdio(options: Options) -> None:
    from mcp.server.stdio import stdio_server

    from gateway.mcp.api import Api
    from gateway.mcp.server import Tools

    if not (key := os.environ.get(KEY)):
        raise CommandFailed(NO_KEY, ExitCode.USAGE)
    async with _client(options) as client, stdio_server() as (received, sent):
        server = Tools(Api(client), lambda _: f"Bearer {key}").server()
        await server.run(received, sent, server.create_initialization_options())


async def _http(options: Options) -> None:
    from gateway.mcp.api import Api
    from gateway.mcp.http import credential, http_app
    from gateway.mcp.server import Tools

    if not is_loopback(options.host) and not options.allowed_hosts:
        raise CommandFailed(NO_HOSTS, ExitCode.USAGE)
    async with _client(options) as client:
        api = Api(client)
        server = Tools(api, credential).server()
        app = http_app(server, api, options.allowed_hosts, options.allowed_origins)
        config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False)
        with closing(listening(options.host, options.port, setting="--port")) as listener:
            await uvicorn.Server(config).serve(sockets=[listener])


def _client(options: Options) -> httpx2.AsyncClient:
    from gateway.mcp.api import TIMEOUT_SECONDS

    return httpx2.AsyncClient(base_url=options.url, timeout=TIMEOUT_SECONDS)
