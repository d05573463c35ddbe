"""Deadlines: clients that do not complete a request in time are disconnected."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import repeat

import orjson
import pytest
from structlog.testing import capture_logs

from db import Database
from gateway.protocols import http11
from gateway.settings import Settings
from support.running_gateway import serving
from support.stream_client import port
from support.wait import patience, until

BODY = b'{"query": "{ __typename }"}'
HEAD = b"POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
REQUEST = HEAD + b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
ANSWER = b'{"data":{"__typename":"Query"}}'

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines that a test can wait for."""
    monkeypatch.setattr(http11, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(http11, "BODY_SECONDS", 0.3)


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[Streams]:
    """A connection to the gateway."""
    async with patience():
        reader, writer = await asyncio.open_connection("127.0.0.1", port(address))
        try:
            yield reader, writer
        finally:
            writer.close()


async def answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Status and body of one response."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-len"))
    return head[9:12], await reader.readexactly(int(length[15:]))


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("sent", [b"", b"\r\n", b"\r\n\r\n"])
async def test_a_client_without_a_request_is_disconnected(address: str, sent: bytes) -> None:
    async with connected(address) as (reader, writer):
        writer.write(sent)
        assert await reader.read() == b""


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize(
    "sent", [b"P", HEAD, HEAD + b"x", HEAD + b"content-length: 9\r\n\r\n", REQUEST[:-1]]
)
async def test_half_a_request_is_refused(address: str, sent: bytes) -> None:
    logged = [499] if b"length" in sent else []
    with capture_logs() as logs:

        async def is_logged() -> bool:
            return len(logs) >= len(logged)

        async with connected(address) as (reader, writer):
            writer.write(sent)
            status, body = await answer(reader)
            assert await reader.read() == b""
            await until(is_logged)
    error = orjson.loads(body)["errors"][0]
    assert (status, error["message"]) == (b"408", "The request did not arrive in time.")
    assert [line["status"] for line in logs] == logged


@pytest.mark.usefixtures("_soon")
@pytest.mark.parametrize("begun", [HEAD + b"x-many: ", HEAD + b"content-length: 999\r\n\r\n"])
async def test_a_byte_now_and_then_is_too_slow(address: str, begun: bytes) -> None:
    async with connected(address) as (reader, writer):
        writer.write(begun)
        status = asyncio.create_task(answer(reader))
        while not status.done():
            writer.write(b" ")
            await asyncio.wait([status], timeout=0.05)
        assert (await status)[0] == b"408"


async def test_a_head_without_end_is_refused(address: str) -> None:
    async with connected(address) as (reader, writer):
        writer.write(HEAD)
        for line in repeat(b"x-more: %b\r\n" % (b"x" * 1000), 2000):
            writer.write(line)
        status, body = await answer(reader)
    message = "The head of the request is larger than 65536 bytes."
    assert (status, orjson.loads(body)["errors"][0]["message"]) == (b"431", message)


async def test_a_large_head_is_taken(address: str) -> None:
    async with connected(address) as (reader, writer):
        writer.write(REQUEST.replace(b"host:", b"cookie: %b\r\nhost:" % (b"x" * 50_000)))
        assert await answer(reader) == (b"200", ANSWER)


@pytest.mark.usefixtures("_soon")
async def test_requests_one_after_the_other_each_have_their_time(address: str) -> None:
    async with connected(address) as (reader, writer):
        for piece in (REQUEST[:50], REQUEST[50:], REQUEST, REQUEST[:50], REQUEST[50:]):
            writer.write(piece)
            if piece.endswith(BODY):
                assert await answer(reader) == (b"200", ANSWER)


@pytest.mark.usefixtures("_soon")
async def test_stray_bytes_keep_no_connection(address: str) -> None:
    async with connected(address) as (reader, writer):
        writer.write(REQUEST)
        assert await answer(reader) == (b"200", ANSWER)
        writer.write(b"\r\n")
        assert await reader.read() == b""


async def test_requests_at_once_are_answered_in_turn(address: str) -> None:
    async with connected(address) as (reader, writer):
        writer.write(REQUEST * 3 + REQUEST[:20])
        for _ in range(3):
            assert await answer(reader) == (b"200", ANSWER)
        writer.write(REQUEST[20:])
        assert await answer(reader) == (b"200", ANSWER)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such option")
async def test_the_kernel_drops_a_client_that_acknowledges_nothing(database: Database) -> None:
    async with (
        serving(Settings(_env_file=None), database) as served,
        connected(served.address) as (reader, writer),
    ):
        writer.write(REQUEST)
        await answer(reader)
        (connection,) = served.server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
