"""Follower: a subscriber over the network that comes back after every interruption, with its last
cursor."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

import httpx2
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

AWAY = (OSError, WebSocketException, httpx2.TransportError, EOFError, TimeoutError)
AGAIN_SECONDS = 0.1
SILENCE_SECONDS = 30  # three heartbeats

Json = dict[str, object]
Payloads = AsyncIterator[Json]


class Transport(Protocol):
    def __call__(
        self, address: str, payload: Json, key: str | None = None
    ) -> AbstractAsyncContextManager[Payloads]:
        """The results of a subscription, with an API key or without."""
        ...


@asynccontextmanager
async def websocket(address: str, payload: Json, key: str | None = None) -> AsyncIterator[Payloads]:
    """The results of a subscription over graphql-transport-ws."""
    url = address.replace("http", "ws", 1) + "/graphql"
    protocols = [Subprotocol("graphql-transport-ws")]
    async with connect(url, subprotocols=protocols, open_timeout=5, proxy=None) as socket:

        async def receive() -> Json:
            async with asyncio.timeout(SILENCE_SECONDS):
                return dict(orjson.loads(await socket.recv()))

        async def send(message: Json) -> None:
            await socket.send(orjson.dumps(message).decode())

        async def payloads() -> Payloads:
            while (message := await receive())["type"] == "next":
                yield _json(message["payload"])
            raise EOFError(message)

        await send({"type": "connection_init", "payload": _credential(key)})
        if (answer := await receive())["type"] != "connection_ack":
            raise EOFError(answer)
        await send({"id": uuid.uuid4().hex, "type": "subscribe", "payload": payload})
        yield payloads()


@asynccontextmanager
async def event_stream(
    address: str, payload: Json, key: str | None = None
) -> AsyncIterator[Payloads]:
    """The same as server-sent events."""
    headers = {"accept": "text/event-stream", **_credential(key)}
    async with (
        httpx2.AsyncClient(timeout=SILENCE_SECONDS) as http,
        http.stream("POST", f"{address}/graphql", json=payload, headers=headers) as response,
    ):
        if response.status_code != 200:
            raise EOFError(response.status_code)

        async def payloads() -> Payloads:
            event = ""
            async for line in response.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "next":
                    yield _json(orjson.loads(value))
            raise EOFError

        yield payloads()


@dataclass
class Follower:
    """One subscriber, which resumes after the newest cursor it has."""

    query: str
    transport: Transport
    cursor: str | None = None
    resets: list[str] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, address: str, key: str | None = None) -> None:
        """Follow until it is cancelled, whatever happens in between."""
        while True:
            with suppress(*AWAY):
                await self._follow(address, key)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self, address: str, key: str | None) -> None:
        payload: Json = {"query": self.query, "variables": {"after": self.after}}
        async with self.transport(address, payload, key) as payloads:
            self.connections += 1
            async for answer in payloads:
                if "errors" in answer:
                    raise EOFError(answer)
                (update,) = _json(answer["data"]).values()
                self._take(_json(update))

    @property
    def after(self) -> str | None:
        return self.cursor

    def _take(self, update: Json) -> None:
        self.cursor = str(update["cursor"])
        if update["kind"] == "RESET":
            self.resets.append(str(update["reason"]))
        self.apply(update)
        self.arrived.set()

    def apply(self, update: Json) -> None:
        """Keep what is needed of a message."""
        raise NotImplementedError

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Return when the condition holds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()


def _credential(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def _json(value: object) -> Json:
    if not isinstance(value, dict):
        raise EOFError(value)
    return value
