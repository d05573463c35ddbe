"""Metrics: their names, and where each is read.

Names and labels are those of OpenTelemetry's semantic conventions where there are any, as
Prometheus writes them. Labels have few values: names in the schema, the code or the protocol, never
what a client sent.
"""

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal, Protocol

from db import Database
from db.core.durations import Durations
from db.core.ingest.writer import Ingestion
from db.feeds import Feeds
from gateway.health import Health
from gateway.middleware.recorder import Recorder
from gateway.transport.connections import OpenStreams
from graph.core.budget import Budget
from graph.core.execution.answers import Answers
from graph.core.execution.operation import operation_cache
from graph.core.execution.plan.run import statement_cache

STATM = Path("/proc/self/statm")

Labels = tuple[str, ...]
NONE: Labels = ()


@dataclass(frozen=True, slots=True)
class Sources:
    """What counts, in this process."""

    recorder: Recorder
    database: Database
    feeds: Feeds
    streams: OpenStreams
    ingestion: Ingestion
    budget: Budget
    health: Health
    answers: Answers | None


@dataclass(frozen=True, slots=True)
class Total:
    """A number that only grows while the process runs."""

    name: str
    description: str
    read: Callable[[Sources], Iterable[tuple[Labels, float]]]
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A number of this moment. `across`: how those of several workers become one."""

    name: str
    description: str
    read: Callable[[Sources], Iterable[tuple[Labels, float]]]
    labels: Labels = ()
    across: Literal["livesum", "livemax", "livemin"] = "livesum"


@dataclass(frozen=True, slots=True)
class Distribution:
    """Durations in buckets."""

    name: str
    description: str
    read: Callable[[Sources], Mapping[Labels, Durations]]
    labels: Labels = ()


Metric = Total | Level | Distribution


def _statements(sources: Sources) -> Mapping[Labels, Durations]:
    return {(name,): durations for name, durations in sources.database.durations.items()}


def _connections(sources: Sources) -> Iterator[tuple[Labels, float]]:
    yield ("used",), sources.database.limiter.held
    yield ("idle",), sources.database.idle_connections


def _operation_durations(sources: Sources) -> Mapping[Labels, Durations]:
    found: dict[Labels, Durations] = {}
    for (type, _), durations in sources.recorder.counts.operations.items():
        found.setdefault((type,), Durations()).merge(durations)
    return found


def _operations(sources: Sources) -> Iterator[tuple[Labels, float]]:
    for labels, durations in sources.recorder.counts.operations.items():
        yield labels, sum(durations.counts)


def _feed_lag(sources: Sources) -> Iterator[tuple[Labels, float]]:
    for name, reader in sources.feeds.readers.items():
        yield (name,), reader.lag if reader.is_followed else 0.0


def _resets(sources: Sources) -> Iterator[tuple[Labels, float]]:
    reasons = {reason for reader in sources.feeds.readers.values() for reason in reader.resets}
    for reason in reasons:
        readers = sources.feeds.readers.values()
        yield (reason,), sum(reader.resets[reason] for reader in readers)


def _answers(sources: Sources) -> list[Answers]:
    return [] if sources.answers is None else [sources.answers]


def _lookups(sources: Sources) -> Iterator[tuple[Labels, float]]:
    for answers in _answers(sources):
        yield ("hit",), answers.hits
        yield ("miss",), answers.misses


def _memory(_: Sources) -> Iterator[tuple[Labels, float]]:
    if STATM.exists():
        yield NONE, int(STATM.read_text().split()[1]) * resource.getpagesize()


class MeasuredCache(Sized, Protocol):
    """What is shown of a cache."""

    misses: int

    @property
    def currsize(self) -> float: ...


CACHES: Mapping[str, MeasuredCache] = {
    "operations": operation_cache(),
    "statements": statement_cache(),
}

METRICS: tuple[Metric, ...] = (
    Distribution(
        "http_server_request_duration_seconds",
        "Duration of HTTP requests, until the response is sent; of streams, until their end.",
        lambda sources: sources.recorder.counts.requests,
        ("http_request_method", "http_route", "http_response_status_code"),
    ),
    Total(
        "dreamnet_graphql_operations_total",
        "GraphQL operations over HTTP and WebSockets, by type and outcome: ok, refused or failed.",
        _operations,
        ("type", "outcome"),
    ),
    Distribution(
        "dreamnet_graphql_operation_duration_seconds",
        "Duration of GraphQL operations, of subscriptions until their end.",
        _operation_durations,
        ("type",),
    ),
    Total(
        "dreamnet_graphql_fallbacks_total",
        "Operations that graphql-core executed because their plan could not, by reason.",
        lambda sources: [
            ((reason,), count) for reason, count in sources.recorder.counts.fallbacks.items()
        ],
        ("reason",),
    ),
    Total(
        "dreamnet_plan_cache_misses_total",
        "Operations that were prepared, and statements that were compiled, because the cache did "
        "not have them.",
        lambda _: [((name,), cache.misses) for name, cache in CACHES.items()],
        ("cache",),
    ),
    Level(
        "dreamnet_plan_cache_entries",
        "Prepared operations, and compiled statements, that are kept.",
        lambda _: [((name,), len(cache)) for name, cache in CACHES.items()],
        ("cache",),
    ),
    Level(
        "dreamnet_plan_cache_bytes",
        "Approximate size of what is kept, in bytes.",
        lambda _: [((name,), cache.currsize) for name, cache in CACHES.items()],
        ("cache",),
    ),
    Total(
        "dreamnet_response_cache_lookups_total",
        "Queries whose results may be kept, by whether one was given: hit or miss.",
        _lookups,
        ("result",),
    ),
    Level(
        "dreamnet_response_cache_bytes",
        "Approximate size of the results that are kept, in bytes.",
        lambda sources: [(NONE, answers.kept.currsize) for answers in _answers(sources)],
    ),
    Level(
        "dreamnet_response_cache_oldest_seconds",
        "Age of the oldest result that is kept, in seconds.",
        lambda sources: [(NONE, answers.oldest) for answers in _answers(sources)],
        across="livemax",
    ),
    Total(
        "dreamnet_budget_refused_total",
        "Operations and documents that were refused because their caller lacked points.",
        lambda sources: [(NONE, sources.budget.refused)],
    ),
    Level(
        "dreamnet_streams",
        "Open streams: WebSockets and event streams.",
        lambda sources: [(NONE, len(sources.streams.open))],
    ),
    Level(
        "dreamnet_feed_lag_seconds",
        "Seconds since a feed was last read; 0 without subscribers.",
        _feed_lag,
        ("feed",),
        across="livemax",
    ),
    Total(
        "dreamnet_feed_resets_total",
        "Times that the history of a feed had changed, so that its subscribers started again.",
        _resets,
        ("reason",),
    ),
    Total(
        "dreamnet_feed_late_rows_total",
        "Rows that became visible behind the position already read, which no subscriber received.",
        lambda sources: [
            ((name,), reader.late_rows) for name, reader in sources.feeds.readers.items()
        ],
        ("feed",),
    ),
    Level(
        "dreamnet_ingest_queue_items",
        "Rows of batch writers that are not stored yet.",
        lambda sources: [
            ((target.name,), writer.rows) for target, writer in sources.ingestion.writers.items()
        ],
        ("intake",),
    ),
    Total(
        "dreamnet_requests_not_recorded_total",
        "Requests whose api_request event was dropped.",
        lambda sources: [(NONE, sources.recorder.events.losses)],
    ),
    Distribution(
        "db_client_operation_duration_seconds",
        "Duration of statements on connections of the pool, by the first word of their text.",
        _statements,
        ("db_operation_name",),
    ),
    Level(
        "db_client_connection_count",
        "Connections of the pool: used, or idle.",
        _connections,
        ("db_client_connection_state",),
    ),
    Level(
        "db_client_connection_max",
        "Connections that the pool may open.",
        lambda sources: [(NONE, sources.database.limiter.size)],
    ),
    Level(
        "db_client_connection_pending_requests",
        "Statements that wait for a connection.",
        lambda sources: [(NONE, sources.database.limiter.waiting)],
    ),
    Level(
        "dreamnet_ready",
        "1 while all workers are ready to serve, as /api/health/ready reports, else 0.",
        lambda sources: [(NONE, sources.health.was_ready)],
        across="livemin",
    ),
    Total(
        "process_cpu_time_seconds_total",
        "CPU time of all workers.",
        lambda _: [(NONE, time.process_time())],
    ),
    Level(
        "process_memory_usage_bytes",
        "Resident memory of all workers.",
        _memory,
    ),
    Level(
        "dreamnet_build_info",
        "1, with the versions of the gateway and of Python.",
        lambda _: [((version("dreamnet-gateway"), sys.version.split()[0]), 1)],
        ("version", "python"),
        across="livemax",
    ),
)
