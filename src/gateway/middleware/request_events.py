"""Request events: API requests and operations over a WebSocket, as `api_request` events, and their
starts as `request_start` events.

Refused requests are counted instead, as `api_requests_refused` events (middleware/refusals).

An event holds the operation, the principal and the outcome, never headers, variables or the text of
a query. It is written by the batch writer of events, and no request waits for it. An event that
cannot be stored is dropped. The log counts the requests of dropped events: as a warning if the
batch writer is full or the database unavailable, as an error otherwise.
"""

import asyncio
import hashlib
from collections.abc import Callable
from datetime import datetime
from functools import partial
from random import Random
from typing import Protocol

import structlog

from db.core.error_facts import summary
from db.core.errors import DomainError, OutcomeUnknown, RateLimited, Unavailable
from db.core.ingest.pending import Errors
from db.core.ingest.writer import Ingestion
from db.core.table import JsonObject, Row
from db.events import API_REQUEST, API_SERVER, LOGGED, REQUEST_START, EventSeverity
from db.events.severities import severity_of
from gateway.middleware.refusals import Kind, Refusals
from gateway.request_record import RequestRecord

REPORT_SECONDS = 60  # between two log lines about dropped events
NOT_NOW = (RateLimited, Unavailable, OutcomeUnknown)
LONGEST_AGENT = 200  # characters of a user agent

log = structlog.get_logger()


class RequestEvents:
    """Stores events of a share of the requests, `sample` from 0 to 1."""

    def __init__(self, ingestion: Ingestion, sample: float) -> None:
        self.ingestion = ingestion
        self.sample = sample
        self.random = Random()  # noqa: S311  no secret
        self.refusals = Refusals(self._store_refusals)
        self.dropped = DropCounter("requests not recorded", log.warning)
        self.failed = DropCounter("requests not recorded because of a fault", log.error)
        self.losses = 0  # requests whose events were dropped

    def record(self, record: RequestRecord, weight: int = 1) -> None:
        """Store an event for a request that is over, and stands for `weight`. Never raises."""
        if self._is_sampled():
            self._store(partial(_row, record, weight), weight)

    def record_start(self, record: RequestRecord, weight: int = 1) -> None:
        """Store an event for a request that begins. Never raises."""
        if self._is_sampled():
            self._store(partial(_start_row, record, weight), weight)

    def count_refused(self, record: RequestRecord) -> None:
        if self._is_sampled():
            principal = record.principal
            kind = Kind(record.status, record.region, principal.user_id, principal.key_id)
            self.refusals.add(kind, record.request_bytes)

    def _is_sampled(self) -> bool:
        return self.random.random() < self.sample

    def flush(self) -> None:
        self.refusals.flush()

    def close(self) -> None:
        """Log the dropped events that no line has counted yet."""
        self.dropped.close()
        self.failed.close()

    def _store(self, row: Callable[[datetime], Row], weight: int = 1) -> None:
        try:
            at = self.ingestion.now()
            item = LOGGED.validator.ingest_row(row(at), at)
            self.ingestion.submit_nowait(LOGGED, [item], partial(self._settled, weight))
        except Exception as error:
            self._lost(error, weight)

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

    def _settled(self, weight: int, errors: Errors) -> None:
        for error in errors.values():
            self._lost(error, weight)

    def _lost(self, error: Exception, weight: int) -> None:
        self.losses += weight
        losses = self.dropped if isinstance(error, NOT_NOW) else self.failed
        losses.add(error, weight)


class LogMethod(Protocol):
    """A method of a logger of structlog."""

    def __call__(self, event: str, /, **details: object) -> object: ...


class DropCounter:
    """Counts requests whose events were dropped. The first is logged at once, later ones together
    once a minute."""

    def __init__(self, event: str, write: LogMethod) -> None:
        self.event = event
        self.write = write
        self.count = 0  # since the last line
        self.latest: Exception | None = None
        self.timer: asyncio.TimerHandle | None = None  # until the next line may be written

    def add(self, error: Exception, weight: int) -> None:
        self.count += weight
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


def _row(record: RequestRecord, weight: int, at: datetime) -> Row:
    operation = record.operation
    payload = {
        "operation": operation.short_name if operation else None,
        "kind": operation.kind if operation else None,
        "document": hashed(operation.text) if operation else None,
        "status": record.status,
        "duration_ms": record.duration_ms,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "key_id": record.principal.key_id,
        "user_agent": record.user_agent[:LONGEST_AGENT],
        "ip": record.region,
        **({"error": str(record.error)} if record.error else {}),
        **({"weight": weight} if weight != 1 else {}),
    }
    return {
        "event_type": API_REQUEST,
        "source": API_SERVER,
        "severity": EventSeverity.ERROR if record.failed else EventSeverity.INFO,
        "payload": payload,
        "timestamp": at,
        "metadata": {"request_id": record.request_id},
        "user_id": record.principal.user_id,
    }


def _start_row(record: RequestRecord, weight: int, at: datetime) -> Row:
    payload = {"method": record.method, "path": record.path}
    return {
        "event_type": REQUEST_START,
        "source": API_SERVER,
        "severity": severity_of(REQUEST_START),
        "payload": {**payload, **({"weight": weight} if weight != 1 else {})},
        "timestamp": at,
        "metadata": {"request_id": record.request_id},
        "user_id": None,  # the caller is not known yet
    }


def hashed(document: str) -> str:
    return hashlib.sha256(document.encode()).hexdigest()[:16]
