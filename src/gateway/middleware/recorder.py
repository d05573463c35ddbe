"""Recorder: one decision per finished request or WebSocket operation, for its log line and event.
All are counted.

What failed or was slow is always recorded. Of the rest samplers choose at most 200 a second: one
of operations, which have a line and an event, and one of all other requests, which have a line.
Each carries its weight, so the weights of lines sum to the requests, and those of events to the
operations.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from gateway.middleware.request_counts import RequestCounts
from gateway.middleware.request_events import RequestEvents
from gateway.middleware.sampler import SECOND, Sampler
from gateway.request_record import API_PATHS, RequestRecord

SLOW_SECONDS = 1.0

log = structlog.get_logger()


class Tracing(Protocol):
    """Makes the spans of requests."""

    def begin(self, record: RequestRecord) -> None: ...

    def finish(self, record: RequestRecord) -> None: ...


class Recorder:
    """Decides on each request that is over, and records it."""

    def __init__(
        self,
        events: RequestEvents,
        clock: Callable[[], float] = time.perf_counter,
        *,
        records_starts: bool = False,
        tracing: Tracing | None = None,
    ) -> None:
        self.events = events
        self.clock = clock
        self.records_starts = records_starts
        self.tracing = tracing
        self.counts = RequestCounts()
        self.starts = Sampler(events.record_start)
        self.operations = Sampler(self._record)
        self.others = Sampler(self._record)
        self.timer: asyncio.TimerHandle | None = None  # while requests are pending

    def begin(self, record: RequestRecord) -> None:
        record.began = self.clock()
        if self.tracing is not None:
            self.tracing.begin(record)
        if self.records_starts and record.path in API_PATHS:
            self._sample(self.starts, record, record.began)

    def finish(self, record: RequestRecord) -> None:
        """Record a request that is over, or let another one stand for it. Never raises."""
        now = self.clock()
        record.seconds = now - record.began
        self.counts.add(record)
        if self.tracing is not None:
            self.tracing.finish(record)
        if record.is_refused_operation:
            self.events.count_refused(record)
        if record.failed or record.seconds >= SLOW_SECONDS:
            self._record(record, 1)
            return
        self._sample(self.operations if record.is_served_operation else self.others, record, now)

    def flush(self) -> None:
        for sampler in self._samplers:
            sampler.flush()
        self.events.flush()

    def close(self) -> None:
        self.flush()
        if self.timer:
            self.timer.cancel()
        self.events.close()

    @property
    def _samplers(self) -> tuple[Sampler[RequestRecord], ...]:
        return self.starts, self.operations, self.others

    def _sample(self, sampler: Sampler[RequestRecord], record: RequestRecord, now: float) -> None:
        sampler.add(record, now)
        if sampler.pending and self.timer is None:
            self._flush_later()

    def _flush_later(self) -> None:
        self.timer = asyncio.get_running_loop().call_later(SECOND, self._flush_idle)

    def _flush_idle(self) -> None:
        self.timer = None
        for sampler in self._samplers:
            sampler.flush_if_over(self.clock())
        if any(sampler.pending for sampler in self._samplers):
            self._flush_later()

    def _record(self, record: RequestRecord, weight: int) -> None:
        _write_line(record, weight)
        if record.is_served_operation:
            self.events.record(record, weight)


def _write_line(record: RequestRecord, weight: int) -> None:
    details: dict[str, object] = {"duration_ms": record.duration_ms}
    if record.error:
        details["error"] = str(record.error)
    if weight != 1:
        details["weight"] = weight
    if record.status is None:
        log.info("operation", **record.facts, **details)
    else:
        log.info("request", status=record.status, **record.facts, **details)
