"""Followers: subscribers over the network that come back after every interruption, and remember."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

AWAY = (OSError, WebSocketException, httpx2.TransportError, EOFError, TimeoutError)
AGAIN_SECONDS = 0.1
SILENCE_SECONDS = 30  # three heartbeats

EVENTS = """subscription ($after: String) {
  events(after: $after, filter: {source: {eq: "fault"}}) {
    kind cursor reason events { seq eventType }
  }
}"""
HISTORY = """subscription ($after: String) {
  agentHistory(after: $after) { kind cursor reason reports { seq agentKey status } }
}"""
STATUS = """subscription ($after: String) {
  agentStatus(after: $after) { kind cursor reason removedKeys agents { key status currentTask } }
}"""

Payloads = AsyncIterator[Any]
Transport = Callable[[str, dict[str, Any]], Any]


@asynccontextmanager
async def websocket(address: str, payload: dict[str, Any]) -> AsyncIterator[Payloads]:
    """What a subscription sends over graphql-transport-ws."""
    url = address.replace("http", "ws", 1) + "/graphql"
    async with connect(url, subprotocols=["graphql-transport-ws"], open_timeout=5) as socket:
        await socket.send('{"type":"connection_init"}')
        assert orjson.loads(await socket.recv())["type"] == "connection_ack"
        name = uuid.uuid4().hex
        await socket.send(
            orjson.dumps({"id": name, "type": "subscribe", "payload": payload}).decode()
        )

        async def payloads() -> Payloads:
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    message = orjson.loads(await socket.recv())
                if message["type"] == "next":
                    yield message["payload"]
                elif message["type"] in ("error", "complete"):
                    raise EOFError(message)

        yield payloads()


@asynccontextmanager
async def event_stream(address: str, payload: dict[str, Any]) -> AsyncIterator[Payloads]:
    """The same as server-sent events."""
    accept = {"accept": "text/event-stream"}
    async with (
        httpx2.AsyncClient(timeout=SILENCE_SECONDS) as http,
        http.stream("POST", f"{address}/graphql", json=payload, headers=accept) as response,
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
                    yield orjson.loads(value)
            raise EOFError

        yield payloads()


@dataclass
class Follower:
    """One subscriber. It resumes after the newest cursor it has; `forgetful` ones begin anew."""

    query: str
    transport: Transport
    forgetful: bool = False
    cursor: str | None = None
    resets: list[str] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, address: str) -> None:
        """Follows until it is cancelled, whatever happens in between."""
        while True:
            with suppress(*AWAY):
                await self._follow(address)
            await asyncio.sleep(AGAIN_SECONDS)

    async def _follow(self, address: str) -> None:
        after = None if self.forgetful else self.cursor
        payload = {"query": self.query, "variables": {"after": after}}
        async with self.transport(address, payload) as payloads:
            self.connections += 1
            async for answer in payloads:
                if "errors" in answer:
                    raise EOFError(answer)
                (update,) = answer["data"].values()
                self._take(update)

    def _take(self, update: Any) -> None:
        self.cursor = update["cursor"]
        if update["kind"] == "RESET":
            self.resets.append(update["reason"])
        self.apply(update)
        self.arrived.set()

    def apply(self, update: Any) -> None:
        """What it remembers of a message."""
        raise NotImplementedError

    async def until(self, condition: Callable[[], bool], seconds: float = 60) -> None:
        """Returns when what it remembers fulfils a condition."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()


@dataclass
class Listener(Follower):
    """Remembers every row, in order, each once: what it has already is told again after a
    connection was lost in the moment of telling."""

    rows: str = "events"
    seqs: list[int] = field(default_factory=list)
    repeated: int = 0

    def apply(self, update: Any) -> None:
        if update["kind"] == "RESET":
            self.seqs.clear()
        for row in update[self.rows]:
            seq = int(row["seq"])
            if self.seqs and seq <= self.seqs[-1]:
                self.repeated += 1
            else:
                self.seqs.append(seq)


@dataclass
class Dashboard(Follower):
    """Remembers the present state of each agent."""

    agents: dict[str, Any] = field(default_factory=dict)

    def apply(self, update: Any) -> None:
        if update["kind"] == "SNAPSHOT":
            self.agents.clear()
        for agent in update["agents"]:
            self.agents[agent["key"]] = agent
        for key in update["removedKeys"]:
            self.agents.pop(key, None)


def crowd(forgetful: bool = False) -> list[Follower]:
    """Ten over WebSockets and four over event streams, of each kind."""
    transports = [*[websocket] * 10, *[event_stream] * 4]
    kinds: list[Callable[[Transport], Follower]] = [
        lambda transport: Listener(EVENTS, transport, forgetful),
        lambda transport: Listener(HISTORY, transport, forgetful, rows="reports"),
        lambda transport: Dashboard(STATUS, transport, forgetful),
    ]
    return [kinds[n % len(kinds)](transport) for n, transport in enumerate(transports)]


@asynccontextmanager
async def following(address: str, followers: list[Follower]) -> AsyncIterator[None]:
    """Followers at work; on entering, all of them have been told where they begin."""
    tasks = [asyncio.create_task(follower.run(address)) for follower in followers]
    try:
        for follower in followers:
            await follower.until(lambda f=follower: f.cursor is not None)
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
