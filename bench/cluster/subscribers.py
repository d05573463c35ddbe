"""Subscribers: clients that come back after every interruption with their last cursor, and
remember everything that they were sent."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

AWAY = (OSError, WebSocketException, httpx2.TransportError, EOFError, TimeoutError)
AGAIN_SECONDS = 0.1
BEGIN_SECONDS = 30
SILENCE_SECONDS = 30  # three heartbeats
SOCKETS, STREAMS = 9, 6  # subscribers of each transport

EVENTS = """subscription ($after: String) {
  events(after: $after, filter: {source: {eq: "cluster"}}) { kind cursor reason events { id } }
}"""
REPORTS = """subscription ($after: String) {
  agentHistory(after: $after) { kind cursor reason reports { id } }
}"""
DREAMS = """subscription ($after: String) {
  dreams(after: $after) { kind cursor reason dreams { id } }
}"""
ROWS = {EVENTS: "events", REPORTS: "reports", DREAMS: "dreams"}

Json = dict[str, object]
Payloads = AsyncIterator[Json]
Transport = Callable[[str, str, Json], AbstractAsyncContextManager[Payloads]]


@asynccontextmanager
async def websocket(address: str, key: str, payload: Json) -> AsyncIterator[Payloads]:
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

        await send({"type": "connection_init", "payload": {"authorization": f"Bearer {key}"}})
        if (answer := await receive())["type"] != "connection_ack":
            raise EOFError(answer)
        await send({"id": uuid.uuid4().hex, "type": "subscribe", "payload": payload})
        yield payloads()


@asynccontextmanager
async def event_stream(address: str, key: str, payload: Json) -> AsyncIterator[Payloads]:
    """The same as server-sent events."""
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {key}"}
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
class Subscriber:
    """One subscriber. `seen` are the ids of all rows that it was sent."""

    query: str
    transport: Transport
    cursor: str | None = None
    seen: set[str] = field(default_factory=set)
    resets: list[str] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def rows(self) -> str:
        return ROWS[self.query]

    async def run(self, address: str, key: str) -> None:
        while True:
            with suppress(*AWAY):
                await self._subscribe(address, key)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _subscribe(self, address: str, key: str) -> None:
        payload: Json = {"query": self.query, "variables": {"after": self.cursor}}
        async with self.transport(address, key, payload) as payloads:
            self.connections += 1
            async for answer in payloads:
                if "errors" in answer:
                    raise EOFError(answer)
                (update,) = _json(answer["data"]).values()
                self._take(_json(update))

    def _take(self, update: Json) -> None:
        self.cursor = str(update["cursor"])
        if update["kind"] == "RESET":
            self.resets.append(str(update["reason"]))
        rows = update[self.rows]
        if isinstance(rows, list):
            self.seen.update(str(row["id"]) for row in rows)
        self.arrived.set()

    async def has_begun(self) -> bool:
        return await self.until(lambda: self.cursor is not None, BEGIN_SECONDS)

    async def until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until the condition holds; False if it does not in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self.arrived.clear()
                    await self.arrived.wait()
        return condition()


def subscribers() -> list[Subscriber]:
    """Of each transport and each feed."""
    transports: list[Transport] = [*[websocket] * SOCKETS, *[event_stream] * STREAMS]
    queries = [*ROWS]
    return [Subscriber(queries[n % 3], each) for n, each in enumerate(transports)]


def _json(value: object) -> Json:
    if not isinstance(value, dict):
        raise EOFError(value)
    return value
