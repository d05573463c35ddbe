"""WebSocket client: a client of graphql-transport-ws that sends exactly the messages of a test."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from db import Database
from gateway.auth.authenticator import Auth
from gateway.process.configuration import uvicorn_config
from gateway.process.listener import listening
from gateway.settings import Settings
from support.stream_client import HISTORY, port
from support.wait import patience

PROTOCOL = Subprotocol("graphql-transport-ws")
HANDSHAKE = """GET /graphql HTTP/1.1\r
Host: 127.0.0.1\r
Connection: Upgrade\r
Upgrade: websocket\r
Sec-WebSocket-Version: 13\r
Sec-WebSocket-Protocol: graphql-transport-ws\r
Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
\r
"""


class Client:
    """One connection. Messages are dictionaries; anything else is sent as it is."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, message: Any) -> None:
        """Send a message."""
        raw = isinstance(message, str | bytes)
        await self.connection.send(message if raw else json.dumps(message))

    async def hear(self) -> Any:
        """The next message."""
        async with patience():
            text = await self.connection.recv()
        assert isinstance(text, str), "a binary frame"
        return json.loads(text)

    async def greet(self, **parameters: Any) -> None:
        """Begins as clients do, with these connection parameters."""
        await self.say({"type": "connection_init", "payload": parameters})
        assert await self.hear() == {"type": "connection_ack"}

    async def ask(self, id: str, query: str, **more: Any) -> None:
        """Ask for an operation under an id."""
        await self.say({"type": "subscribe", "id": id, "payload": {"query": query, **more}})

    async def answer(self, id: str, query: str, **more: Any) -> Any:
        """The result of an operation."""
        await self.ask(id, query, **more)
        following = await self.hear()
        assert (following["type"], following["id"]) == ("next", id), following
        assert await self.hear() == {"type": "complete", "id": id}
        return following["payload"]

    async def refusal(self, id: str, query: str, **more: Any) -> Any:
        """The errors of an operation that is not executed."""
        await self.ask(id, query, **more)
        error = await self.hear()
        assert (error["type"], error["id"]) == ("error", id), error
        return error["payload"]

    async def follow(self, id: str, query: str = HISTORY) -> None:
        """Subscribes to the history, which begins with a snapshot."""
        await self.ask(id, query)
        assert kinds(await self.hear()) == (id, "SNAPSHOT")

    async def close_code(self) -> tuple[int, str]:
        """The code and reason of the close frame, after any other messages."""
        async with patience():
            with suppress(ConnectionClosed):
                while True:
                    await self.connection.recv()
            await self.connection.wait_closed()
        return self.connection.close_code or 0, self.connection.close_reason or ""

    async def is_alive(self) -> bool:
        """Whether the gateway still answers."""
        await self.say({"type": "ping"})
        return bool(await self.hear() == {"type": "pong"})


@asynccontextmanager
async def dialled(
    address: str, protocols: list[str] | None = None, **more: Any
) -> AsyncIterator[Client]:
    """A connection without any message."""
    offered = [Subprotocol(name) for name in ([PROTOCOL] if protocols is None else protocols)]
    url = address.replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=offered or None, proxy=None, **more) as connection:
        yield Client(connection)


@asynccontextmanager
async def greeted(address: str, **parameters: Any) -> AsyncIterator[Client]:
    """A connection on which operations may be asked for."""
    async with dialled(address) as client:
        await client.greet(**parameters)
        yield client


@asynccontextmanager
async def raw(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection for frames written byte by byte, after the handshake."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port(address))
    try:
        writer.write(HANDSHAKE.encode())
        async with patience():
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        yield reader, writer
    finally:
        writer.close()


def serving(
    settings: Settings, database: Database, auth: Auth | None = None
) -> AbstractAsyncContextManager[str]:
    """The address of a gateway with these settings, served as `dreamnet serve` does."""
    return running(uvicorn_config(settings, database, auth))


@asynccontextmanager
async def running(config: uvicorn.Config) -> AsyncIterator[str]:
    """The address of a gateway."""
    with listening("127.0.0.1", 0) as listener:
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def kinds(message: Any) -> tuple[str, str]:
    """The operation and the kind of each message of the history."""
    assert message["type"] == "next", message
    return message["id"], message["payload"]["data"]["agentHistory"]["kind"]


async def greeting_refusal(
    address: str, payload: dict[str, Any], **headers: str
) -> tuple[int, str]:
    """The close code and reason of a socket with this payload of connection_init."""
    async with dialled(address, additional_headers=headers) as client:
        await client.say({"type": "connection_init", "payload": payload})
        return await client.close_code()


async def handshake_refusal(
    address: str, headers: dict[str, str] | None = None
) -> tuple[int, str, str | None]:
    """The status, code and Retry-After of a refused handshake."""
    with pytest.raises(InvalidStatus) as refusal:
        async with dialled(address, additional_headers=headers):
            pass
    response = refusal.value.response
    code = orjson.loads(response.body or b"")["errors"][0]["extensions"]["code"]
    return response.status_code, code, response.headers.get("retry-after")
