"""Request events: each API request and each operation over a WebSocket, as an `api_request` event.

Refused requests are counted instead, as `api_requests_refused` events (middleware/refusals).

An event holds the operation, the principal and the outcome, never headers, variables or the text of
a query. It is written by the batch writer of events, and no request waits for it. An event that
cannot be stored is dropped. The log counts dropped events: as a warning if the batch writer is full
or the database unavailable, as an error otherwise.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Protocol

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.core.error_facts import summary
from db.core.errors import DomainError, OutcomeUnknown, RateLimited, Unavailable
from db.core.ingest.writer import Ingestion, PendingBatch
from db.core.table import JsonObject, Row
from db.events import API_SERVER, LOGGED, EventSeverity
from gateway.middleware.refusals import Kind, Refusals, is_refusal
from gateway.request_record import RequestRecord, record_of

PATH = "/graphql"
REPORT_SECONDS = 60  # between two log lines about dropped events
NOT_NOW = (RateLimited, Unavailable, OutcomeUnknown)
LONGEST_AGENT = 200  # characters of a user agent

log = structlog.get_logger()


class RequestRecorder:
    """Records a share of the requests that are over, `sample` from 0 to 1."""

    def __init__(self, ingestion: Ingestion, sample: float) -> None:
        self.ingestion = ingestion
        self.sample = sample
        self.refusals = Refusals(self._store_refusals)
        self.dropped = DropCounter("requests not recorded", log.warning)
        self.failed = DropCounter("requests not recorded because of a fault", log.error)

    def is_sampled(self) -> bool:
        return random.random() < self.sample  # noqa: S311  no secret

    def record(self, record: RequestRecord) -> None:
        """Record a request that is over. Never raises."""
        if record.refused:
            principal = record.principal
            kind = Kind(record.status, record.region, principal.user_id, principal.key_id)
            self.refusals.add(kind, record.request_bytes)
        else:
            self._store(partial(_row, record))

    def flush(self) -> None:
        self.refusals.flush()

    def close(self) -> None:
        """Log the dropped events that no line has counted yet."""
        self.dropped.close()
        self.failed.close()

    def _store(self, row: Callable[[datetime], Row]) -> None:
        try:
            at = self.ingestion.now()
            item = LOGGED.validator.ingest_row(row(at), at)
            pending = self.ingestion.submit_nowait(LOGGED, [item])
        except Exception as error:
            self._lost(error)
        else:
            pending.done.add_done_callback(partial(self._settled, pending))

    def _store_refusals(self, kind: Kind, payload: JsonObject) -> None:
        row = {
            "event_type": "api_requests_refused",
            "source": API_SERVER,
            "severity": EventSeverity.INFO,
            "payload": payload,
            "metadata": {},
            "user_id": kind.user_id,
        }
        self._store(lambda at: {**row, "timestamp": at})

    def _settled(self, pending: PendingBatch, _: object) -> None:
        for error in pending.errors.values():
            self._lost(error)

    def _lost(self, error: Exception) -> None:
        losses = self.dropped if isinstance(error, NOT_NOW) else self.failed
        losses.add(error)


class LogMethod(Protocol):
    """A method of a logger of structlog."""

    def __call__(self, event: str, /, **details: object) -> object: ...


class DropCounter:
    """Counts dropped events. The first is logged at once, later ones together once a minute."""

    def __init__(self, event: str, write: LogMethod) -> None:
        self.event = event
        self.write = write
        self.count = 0  # since the last line
        self.latest: Exception | None = None
        self.timer: asyncio.TimerHandle | None = None  # until the next line may be written

    def add(self, error: Exception) -> None:
        self.count += 1
        self.latest = error
        if self.timer is None:
            self._report()

    def close(self) -> None:
        if self.timer:
            self.timer.cancel()
        self._log()

    def _report(self) -> None:
        loop = asyncio.get_running_loop()
        self.timer = loop.call_later(REPORT_SECONDS, self._report) if self.count else None
        self._log()

    def _log(self) -> None:
        if not self.count:
            return
        count, self.count = self.count, 0
        traced = None if isinstance(self.latest, DomainError) else self.latest
        reason = summary(self.latest) if self.latest else None
        self.write(self.event, count=count, reason=reason, exc_info=traced)


class RequestEvents:
    """Records the requests of the API. WebSockets record their own operations."""

    def __init__(self, app: ASGIApp, recorder: RequestRecorder) -> None:
        self.app = app
        self.recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or not self.recorder.is_sampled():
            await self.app(scope, receive, send)
            return
        exchange = _Exchange(receive, send)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        finally:
            record = record_of(scope)
            exchange.fill(record)
            self.recorder.record(record)


class _Exchange:
    """Measures one request and its response."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.status = 500  # until a response begins
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

    def fill(self, record: RequestRecord) -> None:
        record.status = self.status
        record.failed = self.status >= 500
        record.refused = record.refused or is_refusal(self.status, record.operation)
        record.request_bytes = self.request_bytes
        record.response_bytes = self.response_bytes


def _row(record: RequestRecord, at: datetime) -> Row:
    operation = record.operation
    payload = {
        "operation": operation.short_name if operation else None,
        "kind": operation.kind if operation else None,
        "document": hashed(operation.text) if operation else None,
        "status": record.status,
        "duration_ms": round((time.perf_counter() - record.began) * 1000, 2),
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "key_id": record.principal.key_id,
        "user_agent": record.user_agent[:LONGEST_AGENT],
        "ip": record.region,
    }
    return {
        "event_type": "api_request",
        "source": API_SERVER,
        "severity": EventSeverity.ERROR if record.failed else EventSeverity.INFO,
        "payload": payload,
        "timestamp": at,
        "metadata": {"request_id": record.request_id},
        "user_id": record.principal.user_id,
    }


def hashed(document: str) -> str:
    """A hash that identifies a document."""
    return hashlib.sha256(document.encode()).hexdigest()[:16]
