"""Attacks with the heads of requests: too large in one piece, without a host or with two."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from db import Database
from gateway.protocols.http11 import LARGE, MAX_HEAD, ONE_HOST
from support.gateways import production
from support.running_gateway import serving
from support.stream_client import port
from support.wait import patience
from support.websocket_client import HANDSHAKE

BODY = b'{"query": "{ __typename }"}'
FIELDS = b"content-type: application/json\r\ncontent-length: %d\r\n" % len(BODY)
REQUEST = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\n" + FIELDS + b"\r\n" + BODY
GET = b"GET /livez HTTP/1.1\r\n%b\r\n"
LONG = b"x" * (MAX_HEAD + 1)


@pytest.fixture
async def address(database: Database) -> AsyncIterator[str]:
    settings = production(public_read=True, drain_seconds=0, spread_seconds=0)
    async with serving(settings, database) as served:
        yield served.address


async def status(address: str, *pieces: bytes) -> tuple[int, str | None]:
    """The status of the answer to a request, and the message of its error."""
    async with patience():
        reader, writer = await asyncio.open_connection("127.0.0.1", port(address))
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = next(
            (line for line in head.split(b"\r\n") if line.startswith(b"content-len")), b""
        )
        body = await reader.readexactly(int(length[15:] or 0))
        writer.close()
    answer = orjson.loads(body) if body else {}
    message = answer["errors"][0]["message"] if "errors" in answer else None
    return int(head[9:12]), message


@pytest.mark.parametrize(
    "request_",
    [
        REQUEST.replace(b"host:", b"cookie: " + LONG + b"\r\nhost:"),
        REQUEST.replace(b"host:", b"x-%b: 1\r\nhost:" % LONG),
        REQUEST.replace(b"host:", b"a: %b\r\n" % (b"b" * 1000) * 66 + b"host:"),
        REQUEST.replace(b"/graphql", b"/graphql?" + LONG),
        b"GET / HTTP/1.1\r\nhost: localhost\r\ncookie: " + LONG + b"\r\n\r\n",
        HANDSHAKE.encode().replace(b"Host:", b"Cookie: " + LONG + b"\r\nHost:"),
    ],
    ids=["value", "name", "many", "target", "without body", "handshake"],
)
async def test_a_large_head_in_one_piece_is_refused(address: str, request_: bytes) -> None:
    assert await status(address, request_) == (431, LARGE)


async def test_trailers_without_end_are_refused(address: str) -> None:
    chunked = REQUEST.replace(b"content-length: %d" % len(BODY), b"transfer-encoding: chunked")
    begun = chunked.removesuffix(BODY) + b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)
    assert await status(address, begun + b"\r\n") == (200, None)
    assert await status(address, begun, *[b"a: %b\r\n" % (b"b" * 1000)] * 99) == (431, LARGE)


@pytest.mark.parametrize(
    "hosts",
    [
        b"",
        b"host: a\r\nhost: a\r\n",
        b"host: a\r\nHOST: b\r\n",
        b"host: a b\r\n",
        b"host: a/b\r\n",
        b"host: user@a\r\n",
        b"host: [::1\r\n",
    ],
)
async def test_a_request_names_one_host(address: str, hosts: bytes) -> None:
    assert await status(address, GET % hosts) == (400, ONE_HOST)
    handshake = HANDSHAKE.encode().replace(b"Host: 127.0.0.1\r\n", hosts)
    assert await status(address, handshake) == (400, ONE_HOST)


@pytest.mark.parametrize("hosts", [b"host: a.b:80\r\n", b"host: [::1]:80\r\n", b"host:\r\n"])
async def test_hosts_of_every_form_are_taken(address: str, hosts: bytes) -> None:
    assert await status(address, GET % hosts) == (200, None)


async def test_http_1_0_needs_no_host(address: str) -> None:
    assert await status(address, b"GET /livez HTTP/1.0\r\n\r\n") == (200, None)
