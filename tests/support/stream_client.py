"""Listening: streams over HTTP as they arrive on a socket, chunk by chunk."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import orjson

from support.wait import patience

REPORT = """mutation ($key: String!, $status: AgentStatus!) {
  reportAgentStatus(input: {agentKey: $key, status: $status}) { __typename }
}"""
HISTORY = "subscription { agentHistory { kind cursor reports { agentKey status } } }"


class Listener:
    """One stream."""

    def __init__(self, reader: asyncio.StreamReader, status: int, head: dict[str, str]) -> None:
        self.reader = reader
        self.status = status
        self.head = head

    async def chunk(self) -> bytes:
        """One chunk of the response; empty at its end."""
        async with patience():
            size = int(await self.reader.readuntil(b"\r\n"), 16)
            return (await self.reader.readexactly(size + 2))[:-2]

    async def rest(self) -> bytes:
        """All bytes until the connection closes."""
        async with patience():
            return await self.reader.read()


@asynccontextmanager
async def listening(
    address: str, query: str = HISTORY, accept: str = "text/event-stream", **headers: str
) -> AsyncIterator[Listener]:
    """A stream that has begun."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port(address))
    try:
        writer.write(request({"query": query}, accept, **headers))
        async with patience():
            first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        head = dict(line.split(": ", 1) for line in lines)
        yield Listener(reader, int(first.split()[1]), head)
    finally:
        writer.close()


def port(address: str) -> int:
    """That of an address."""
    return int(address.rpartition(":")[2])


def request(body: Any, accept: str, **headers: str) -> bytes:
    """The bytes of a POST."""
    content = orjson.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    fixed = {"host": "localhost", "content-type": "application/json", "accept": accept}
    fields = {**fixed, "content-length": str(len(content)), **named}
    lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
    return b"".join(
        [b"POST /graphql HTTP/1.1\r\n", *(line.encode() for line in lines), b"\r\n", content]
    )


async def report(address: str, key: str, status: str, **headers: str) -> None:
    """As an agent does it."""
    body = {"query": REPORT, "variables": {"key": key, "status": status}}
    async with httpx2.AsyncClient(timeout=20) as client:
        answer = await client.post(f"{address}/graphql", json=body, headers=headers)
    assert "errors" not in answer.json(), answer.text
