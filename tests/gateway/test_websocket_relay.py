"""WebSockets under a server that has only ASGI: the same words, one message after the other."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette

from support.stream_client import HISTORY
from support.wait import patience

pytestmark = pytest.mark.usefixtures("log")

GREETING = {"type": "connection_init"}


class Server:
    """One WebSocket of a server: what the client says goes in, what it hears comes out. A client
    that is `slow` takes a message only when it is told to."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.takes = asyncio.Event()
        self.takes.set()
        self.scope = {
            "type": "websocket",
            "scheme": "ws",
            "path": "/graphql",
            "query_string": b"",
            "headers": [(b"host", b"127.0.0.1:8000")],
            "subprotocols": ["graphql-transport-ws"],
            "client": ("127.0.0.1", 1),
        }

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        await self.heard.put(message)

    def say(self, message: dict[str, Any]) -> None:
        event = {"type": "websocket.receive", "text": orjson.dumps(message).decode()}
        self.said.put_nowait(event)

    async def hear(self) -> Any:
        async with patience():
            event = await self.heard.get()
        assert event["type"] == "websocket.send"
        return orjson.loads(event["text"])


@pytest.fixture
async def server(app: Starlette) -> AsyncIterator[Server]:
    """A socket that was accepted; the app is done with it at the end."""
    server = Server()
    server.said.put_nowait({"type": "websocket.connect"})
    async with app.router.lifespan_context(app):
        running = asyncio.create_task(app(server.scope, server.said.get, server.send))
        accepted = {"type": "websocket.accept", "subprotocol": "graphql-transport-ws"}
        assert await server.heard.get() == accepted
        yield server
        server.said.put_nowait({"type": "websocket.disconnect", "code": 1000})
        async with patience():
            await running


async def test_operations(server: Server) -> None:
    server.say(GREETING)
    assert await server.hear() == {"type": "connection_ack"}
    server.say({"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }"}})
    answer = {"data": {"__typename": "Query"}}
    assert await server.hear() == {"id": "1", "type": "next", "payload": answer}
    assert await server.hear() == {"id": "1", "type": "complete"}
    server.say({"type": "subscribe", "id": "2", "payload": {"query": HISTORY}})
    assert (await server.hear())["payload"]["data"]["agentHistory"]["kind"] == "SNAPSHOT"


async def test_pending_messages_are_sent_before_the_close_frame(server: Server) -> None:
    server.say(GREETING)
    assert await server.hear() == {"type": "connection_ack"}
    server.takes.clear()
    server.say({"type": "ping"})
    server.say(GREETING)
    server.takes.set()
    assert await server.hear() == {"type": "pong"}
    reason = "Too many initialisation requests"
    assert await server.heard.get() == {"type": "websocket.close", "code": 4429, "reason": reason}
