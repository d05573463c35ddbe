"""Requests: each API request, and each operation over a WebSocket, as an event `api_request`, for
whoever asks later what was asked.

It holds what was done, by whom and how it went; never headers, variables or the text of a query. It
goes through the lane of events and nobody waits for it: what the lane does not take is dropped and
counted, because a request must not fail for its own record.
"""

import hashlib
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.core.errors import DomainError
from db.core.ingest import Ingestion
from db.events import LOGGED, EventSeverity
from graph.core.permission import ANONYMOUS, Principal

PATH = "/graphql"
SOURCE = "api-server"
LONGEST_AGENT = 200  # characters of a user agent
NETWORKS = {4: 24, 6: 48}  # bits of an address that are kept: enough for a region, not for a person

log = structlog.get_logger()


@dataclass(slots=True)
class Asked:
    """What was asked for, by whom, and how it went. Over a WebSocket there is no status, and what
    is sent is not measured."""

    request_id: str
    who: Principal = ANONYMOUS
    operation: str | None = None
    kind: str | None = None
    document: str | None = None  # what stands for it
    status: int | None = None
    failed: bool = False
    request_bytes: int = 0
    response_bytes: int | None = None
    began: float = field(default_factory=time.perf_counter)


class Recorder:
    """Records a share of what is asked, `sample` from 0 to 1, once it is over."""

    def __init__(self, ingestion: Ingestion, sample: float) -> None:
        self.ingestion = ingestion
        self.sample = sample
        self.dropped = 0

    def chooses(self) -> bool:
        """Whether the next is to be recorded."""
        return random.random() < self.sample  # noqa: S311  no secret

    def record(self, scope: Scope, asked: Asked) -> None:
        """Records what was asked over a connection."""
        at = datetime.now(UTC)
        try:
            item = LOGGED.rules.item(_row(scope, asked, at), at)
            self.ingestion.offer(LOGGED, [item])
        except DomainError:
            self.dropped += 1
            return
        if self.dropped:
            log.warning("requests not recorded", count=self.dropped)
            self.dropped = 0


class RequestEvents:
    """Has the requests of the API recorded; operations over WebSockets are by their sockets."""

    def __init__(self, app: ASGIApp, recorder: Recorder) -> None:
        self.app = app
        self.recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or not self.recorder.chooses():
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            self.recorder.record(scope, exchange.over(scope.get("state", {})))


class _Exchange:
    """One request and its answer on their way, measured."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.began = time.perf_counter()
        self.status = 500  # unless an answer begins
        self.request_bytes = self.response_bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.request_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        self.response_bytes += len(message.get("body", b""))
        await self._send(message)

    def over(self, state: Mapping[str, Any]) -> Asked:
        """What was noted of it on its way."""
        said, document = structlog.contextvars.get_contextvars(), state.get("document")
        return Asked(
            state["request_id"],
            state.get("principal", ANONYMOUS),
            operation=said.get("operation"),
            kind=said.get("kind"),
            document=hashed(document) if document else None,
            status=self.status,
            failed=self.status >= 500,
            request_bytes=self.request_bytes,
            response_bytes=self.response_bytes,
            began=self.began,
        )


def _row(scope: Scope, asked: Asked, at: datetime) -> dict[str, Any]:
    client = scope.get("client")
    payload = {
        "operation": asked.operation,
        "kind": asked.kind,
        "document": asked.document,
        "status": asked.status,
        "duration_ms": round((time.perf_counter() - asked.began) * 1000, 2),
        "request_bytes": asked.request_bytes,
        "response_bytes": asked.response_bytes,
        "key_id": asked.who.key_id,
        "user_agent": Headers(scope=scope).get("user-agent", "")[:LONGEST_AGENT],
        "ip": truncated(client[0]) if client else None,
    }
    return {
        "event_type": "api_request",
        "source": SOURCE,
        "severity": EventSeverity.ERROR if asked.failed else EventSeverity.INFO,
        "payload": payload,
        "timestamp": at,
        "metadata": {"request_id": asked.request_id},
        "user_id": asked.who.user_id,
    }


@lru_cache(maxsize=1_000)
def hashed(document: str) -> str:
    """What stands for a document."""
    return hashlib.sha256(document.encode()).hexdigest()[:16]


@lru_cache(maxsize=1_000)
def truncated(host: str) -> str | None:
    """The network of an address; None for what is no address."""
    try:
        size = NETWORKS[ip_address(host).version]
        return str(ip_network(f"{host}/{size}", strict=False))
    except ValueError:
        return None
