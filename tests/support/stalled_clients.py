"""Stalled clients: they open a stream and do not read it; and load that fills their buffers."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import httpx2
import orjson

from support.stream_client import request

FOLLOW = "subscription { agentHistory { kind reports { agentKey currentTask } } }"
LOAD = """mutation ($reports: [AgentStatusItem!]!) {
  reportAgentStatuses(input: {reports: $reports}) { __typename }
}"""
SUBSCRIBE = {"type": "subscribe", "id": "1", "payload": {"query": FOLLOW}}
SAID = [{"type": "connection_init"}, SUBSCRIBE]
MASK = bytes(4)  # a mask of zeros leaves a payload as it is


@asynccontextmanager
async def stalled(port: int, sockets: int, streams: int) -> AsyncIterator[None]:
    """That many subscribers that read only the head of the response."""
    with ExitStack() as open:
        clients = [_web_socket(port) for _ in range(sockets)]
        clients += [_event_stream(port) for _ in range(streams)]
        for client in await asyncio.gather(*(asyncio.to_thread(*each) for each in clients)):
            open.enter_context(client)
        yield


def _web_socket(port: int) -> Any:
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    head = (
        "GET /graphql HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
        f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n"
        "sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
    )
    return _client, port, head.encode(), b"".join(_frame(orjson.dumps(said)) for said in SAID)


def _event_stream(port: int) -> Any:
    return _client, port, request({"query": FOLLOW}, "text/event-stream"), b""


def narrow(port: int) -> socket.socket:
    """A connection with small buffers."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    return client


def _client(port: int, first: bytes, then: bytes) -> socket.socket:
    client = narrow(port)
    client.settimeout(10)
    client.sendall(first)
    assert client.recv(12) in (b"HTTP/1.1 200", b"HTTP/1.1 101")
    client.sendall(then)
    return client


def _frame(text: bytes) -> bytes:
    return bytes([0x81, 0x80 | 126, *len(text).to_bytes(2, "big")]) + MASK + text


async def load(client: httpx2.AsyncClient, url: str, batch: int, size: int = 10_000) -> list[str]:
    """Store a hundred reports of that many bytes; returns the keys of the agents."""
    keys = [f"{batch}-{number}" for number in range(100)]
    text = os.urandom(size // 2).hex()
    reports = [{"agentKey": key, "status": "RUNNING", "currentTask": text} for key in keys]
    answer = await client.post(url, json={"query": LOAD, "variables": {"reports": reports}})
    assert "errors" not in answer.json(), answer.text
    return keys
