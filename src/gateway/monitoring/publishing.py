"""Publishing: figures of this process, written once a second to where the metrics endpoint reads.

No request updates a metric of the library: the gateway counts in plain numbers, and what was added
to them since is added to the metrics. In the multiprocess mode of the library these are in files,
which remain when a worker ends, so totals only grow.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from db.core.durations import BOUNDS, Durations
from gateway.monitoring.metrics import METRICS, Distribution, Labels, Level, Sources, Total

SECONDS = 1.0

log = structlog.get_logger()


class Publisher:
    """Writes the metrics of one process."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        registry = CollectorRegistry()
        self.writers = [_writer(metric, registry) for metric in METRICS]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Publish each second within the context, and once more at its end."""
        task = asyncio.create_task(self._repeat())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.publish()

    def publish(self) -> None:
        for writer in self.writers:
            writer.write(self.sources)

    async def _repeat(self) -> None:
        while True:
            try:
                await self.sources.health.readiness()
                self.publish()
            except Exception:
                log.exception("metrics were not published")
            await asyncio.sleep(SECONDS)


class TotalWriter:
    """Adds what a total has grown by. A total that shrank has begun again."""

    def __init__(self, metric: Total, registry: CollectorRegistry) -> None:
        self.metric = metric
        self.counter = Counter(metric.name, metric.description, metric.labels, registry=registry)
        self.written: dict[Labels, float] = {}

    def write(self, sources: Sources) -> None:
        for labels, value in self.metric.read(sources):
            before = self.written.get(labels, 0)
            self.written[labels] = value
            child = self.counter.labels(*labels) if labels else self.counter
            child.inc(value - before if value >= before else value)


class LevelWriter:
    """Sets a level."""

    def __init__(self, metric: Level, registry: CollectorRegistry) -> None:
        self.metric = metric
        self.gauge = Gauge(
            metric.name,
            metric.description,
            metric.labels,
            registry=registry,
            multiprocess_mode=metric.across,
        )

    def write(self, sources: Sources) -> None:
        for labels, value in self.metric.read(sources):
            child = self.gauge.labels(*labels) if labels else self.gauge
            child.set(value)


class DistributionWriter:
    """Adds what the buckets of a distribution have grown by."""

    def __init__(self, metric: Distribution, registry: CollectorRegistry) -> None:
        self.metric = metric
        self.histogram = Histogram(
            metric.name, metric.description, metric.labels, registry=registry, buckets=BOUNDS
        )
        self.written: dict[Labels, Durations] = {}

    def write(self, sources: Sources) -> None:
        for labels, durations in self.metric.read(sources).items():
            before = self.written.get(labels, Durations())
            child = self.histogram.labels(*labels)
            # The library has no method for several observations at once.
            for bucket, count, earlier in zip(
                child._buckets, durations.counts, before.counts, strict=True
            ):
                if count != earlier:
                    bucket.inc(count - earlier)
            child._sum.inc(durations.seconds - before.seconds)
            self.written[labels] = durations.copy()


def _writer(
    metric: Total | Level | Distribution, registry: CollectorRegistry
) -> TotalWriter | LevelWriter | DistributionWriter:
    match metric:
        case Total():
            return TotalWriter(metric, registry)
        case Level():
            return LevelWriter(metric, registry)
        case Distribution():
            return DistributionWriter(metric, registry)
