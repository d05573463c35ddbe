"""Raw HTTP: requests as bytes on a connection, and their responses as bytes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import orjson

JSON = {"content-type": "application/json", "accept": "application/json"}
SECONDS = 10.0


@dataclass
class Response:
    """A response as it arrived."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        return dict(self.headers).get(name)


class Connection:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, *parts: bytes) -> None:
        """Send parts, each in a segment of its own as far as the system does that."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def response(self) -> Response:
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().strip().split("\r\n")
            headers = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
            length = int(dict(headers)["content-length"])
            body = await self.reader.readexactly(length)
        return Response(int(status.split()[1]), headers, body)

    async def ends(self) -> bool:
        async with asyncio.timeout(SECONDS):
            return await self.reader.read() == b""


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def request(
    body: bytes | dict[str, object],
    headers: Sequence[tuple[str, str]] | dict[str, str] = (),
    *,
    line: str = "POST /graphql HTTP/1.1",
    host: str = "localhost",
) -> bytes:
    """A request with its length, and the media types of JSON unless others are given."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    given = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in given}
    usual = {"host": host, **JSON, "content-length": str(len(content))}
    lines = [(name, value) for name, value in usual.items() if name not in names] + given
    return b"".join(
        [line.encode(), b"\r\n"]
        + [f"{name}: {value}\r\n".encode() for name, value in lines]
        + [b"\r\n", content]
    )
