"""Requests: each API request as an event `api_request`, for whoever asks later what was asked.

It holds what was done, by whom and how it went; never headers, variables or the text of a query. It
goes through the lane of events and nobody waits for it: what the lane does not take is dropped and
counted, because a request must not fail for its own record.
"""

import hashlib
import random
import time
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
from graph.core.permission import ANONYMOUS

PATH = "/graphql"
SOURCE = "api-server"
LONGEST_AGENT = 200  # characters of a user agent
NETWORKS = {4: 24, 6: 48}  # bits of an address that are kept: enough for a region, not for a person

log = structlog.get_logger()


class RequestEvents:
    """Records a share of the API requests, `sample` from 0 to 1."""

    def __init__(self, app: ASGIApp, ingestion: Ingestion, sample: float) -> None:
        self.app = app
        self.ingestion = ingestion
        self.sample = sample
        self.dropped = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wanted = scope["type"] == "http" and scope["path"] == PATH
        if not wanted or random.random() >= self.sample:  # noqa: S311  no secret
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            self._record(scope, exchange)

    def _record(self, scope: Scope, exchange: "_Exchange") -> None:
        at = datetime.now(UTC)
        try:
            item = LOGGED.rules.item(_row(scope, exchange, at), at)
            self.ingestion.offer(LOGGED, [item])
        except DomainError:
            self.dropped += 1
            return
        if self.dropped:
            log.warning("requests not recorded", count=self.dropped)
            self.dropped = 0


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


def _row(scope: Scope, exchange: _Exchange, at: datetime) -> dict[str, Any]:
    state = scope.get("state", {})
    who, said = state.get("principal", ANONYMOUS), structlog.contextvars.get_contextvars()
    document, client = state.get("document"), scope.get("client")
    payload = {
        "operation": said.get("operation"),
        "kind": said.get("kind"),
        "document": _hash(document) if document else None,
        "status": exchange.status,
        "duration_ms": round((time.perf_counter() - exchange.began) * 1000, 2),
        "request_bytes": exchange.request_bytes,
        "response_bytes": exchange.response_bytes,
        "key_id": who.key_id,
        "user_agent": Headers(scope=scope).get("user-agent", "")[:LONGEST_AGENT],
        "ip": truncated(client[0]) if client else None,
    }
    return {
        "event_type": "api_request",
        "source": SOURCE,
        "severity": EventSeverity.ERROR if exchange.status >= 500 else EventSeverity.INFO,
        "payload": payload,
        "timestamp": at,
        "metadata": {"request_id": state.get("request_id")},
        "user_id": who.user_id,
    }


@lru_cache(maxsize=1_000)
def _hash(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()[:16]


@lru_cache(maxsize=1_000)
def truncated(host: str) -> str | None:
    """The network of an address; None for what is no address."""
    try:
        size = NETWORKS[ip_address(host).version]
        return str(ip_network(f"{host}/{size}", strict=False))
    except ValueError:
        return None
