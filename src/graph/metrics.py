"""Metrics: measured values over time, listed and summarised."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.core.ingest.rows import RowTemplate
from db.core.query.time_range import series_points
from db.core.values import validation
from db.metrics import sums
from graph.core.context import Info, as_source
from graph.core.permission import scope
from graph.core.subscriptions.filtered_source import FilteredSource, filter_condition
from graph.core.subscriptions.source import Update, message, rows, stream
from graph.core.types.aggregate import (
    Aggregate,
    AggregateSource,
    ConfidenceInterval,
    aggregate,
    interval,
)
from graph.core.types.connection import Connection, listed
from graph.core.types.field import argument, checked, field, names_of, value
from graph.core.types.filter import SUBSCRIPTION_BOUNDS, filters, orders
from graph.core.types.groups import MAX_GROUPS, First, Skip
from graph.core.types.ingestion import (
    TIME,
    IngestMutation,
    ItemInput,
    Stored,
    StoredItems,
    batch,
    batch_key,
    ingest_input,
    key,
)
from graph.core.types.menu import menu
from graph.core.types.mutation import Input, mutation
from graph.core.types.node import Node, identified, node
from graph.core.types.scalars import BigInt, Number
from graph.core.types.time_range import Bucket, From, To, Width, reveals_time, window

READ, WRITE = scope("metrics:read"), scope("metrics:write")
TIMES = reveals_time(db.metrics.Metric.timestamp)


def mean_interval() -> ConfidenceInterval | None:
    return interval("average", "count", "total", "squares", -inf, inf)


# Types


@node(db.metrics.Metric, access=READ, viewer_independent=True)
class Metric(Node):
    """A measured value of a series."""

    metric_name: str = field("Name of the series.")
    value: float = field("Measured value, in `unit`.")
    unit: str | None = field("Unit of the value, for example `ms`. Null if unknown.")
    tags: JSON = field("Tags of the measurement, for example the host.")
    timestamp: datetime = field("When the value was measured.")


@message(viewer_independent=True)
class MetricsUpdate(Update):
    """New measured values. Every value is sent, in the order they were stored."""

    metrics: list[Metric] = rows("The values, oldest first. Empty in a SNAPSHOT.")


@value
class MetricSummary:
    """Summary of a series within a time range."""

    metric_name: str = field("Name of the series.")
    unit: str | None = field("Unit of the values that have one. Null if they differ.")
    average: float = field("Mean value.")
    confidence_interval: ConfidenceInterval | None = mean_interval()
    minimum: float = field("Lowest value.")
    maximum: float = field("Highest value.")
    count: BigInt = field("Number of values.")
    p95: float = field(
        "95th percentile, interpolated between adjacent values. Within 1 % of that if the time "
        f"range is longer than two days and the series of the page have more than "
        f"{sums.MAX_EXACT:,} values."
    )
    first_timestamp: datetime = field("When the first value was measured.")
    last_timestamp: datetime = field("When the last value was measured.")


@value
class MetricPoint:
    """Summary of a series within one bucket of time."""

    bucket: datetime = field("Start of the bucket, in UTC.")
    average: float = field("Mean value.")
    confidence_interval: ConfidenceInterval | None = mean_interval()
    minimum: float = field("Lowest value.")
    maximum: float = field("Highest value.")
    count: BigInt = field("Number of values.")


# Inputs

NAME = validation.string(300, 0)
Name = Annotated[str, argument("Name of the series.", NAME)]
TAGGED = timedelta(days=92)
Tags = Annotated[
    JSON | None,
    argument(
        'Only values with each of these tags, for example `{"host": "a"}`; all values if omitted. '
        f"With tags, the time range is at most {TAGGED.days} days.",
        validation.CONTAINED,
    ),
]
Names = Annotated[
    list[str] | None,
    argument(
        "Return only series with these names; all series if omitted.", validation.each(1_000, NAME)
    ),
]


@filters(db.metrics.LISTING)
class MetricFilter:
    """Filter conditions on measured values. All given conditions must hold."""


@orders(db.metrics.LISTING)
class MetricOrder:
    """Sort order for measured values."""


@checked(db.metrics.Metric)
@ingest_input
class RecordMetricInput:
    """A measured value of a series."""

    metric_name: str = field("Name of the series.")
    value: Number = field(
        "Measured value in `unit`, below 10^9 in magnitude, rounded half up to six decimals."
    )
    unit: str | None = field("Unit of the value, for example `ms`.", default=UNSET)
    tags: JSON | None = field("Tags of the measurement, for example the host.", default=UNSET)
    timestamp: datetime | None = field(f"When the value was measured. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class RecordMetricsInput:
    """The input fields to record several values. Each value is stored or rejected on its own."""

    metrics: list[RecordMetricInput] = batch("The values.")
    idempotency_key: str | None = batch_key()


def _metric(given: ItemInput) -> RowTemplate:
    tags = given.get("tags")
    row = {
        "metric_name": given["metricName"],
        "value": given["value"],
        "unit": given.get("unit"),
        "tags": {} if tags is None else tags,
    }
    return db.metrics.RECORDED.validator.template(row)


METRICS = IngestMutation.of_template(
    db.metrics.RECORDED, db.metrics.Metric.Record, _metric, names_of(RecordMetricInput)
)

# Operations


@strawberry.type
class Queries:
    metrics: Connection[Metric] = listed(
        db.metrics.LISTING, "Measured values, newest first.", READ, stale_ok=True
    )

    metric_names: list[str] = menu(db.metrics.Metric.metric_name, "Names of all series.", READ)

    metric: Metric | None = identified(
        db.metrics.Metric, "The measured value with this ID, or null if it does not exist.", READ
    )

    @field(
        "Summary of each series, sorted by name. The last 24 hours by default.",
        READ,
        cost=100,
        reveals=TIMES | {"names": db.metrics.Metric.metric_name},
        stale_ok=True,
    )
    async def metric_summary(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        names: Names = None,
        first: First = MAX_GROUPS,
        skip: Skip = 0,
    ) -> Aggregate[MetricSummary]:
        span, database = await window(info, from_, to, sums.MEASURED), info.context.db
        async with database.read() as session:
            rows = await sums.summaries(session, span, names, database.visibility, first, skip)
        return as_source(AggregateSource(span, rows, sums.measured(names)))

    @field(
        "A series over time, oldest first. Buckets without values are omitted. At most 10,000 "
        "points; the last 24 hours by default.",
        READ,
        cost=100,
        reveals=TIMES | {"name": db.metrics.Metric.metric_name, "tags": db.metrics.Metric.tags},
        stale_ok=True,
    )
    async def metric_series(
        self,
        info: Info,
        name: Name,
        from_: From = UNSET,
        to: To = UNSET,
        bucket: Width = Bucket.HOUR,
        tags: Tags = None,
    ) -> Aggregate[MetricPoint]:
        span = await window(info, from_, to, sums.MEASURED)
        if tags is None:
            series = sums.series(name, span, bucket, info.context.db.visibility)
        else:
            span.check_longest(TAGGED, ", or leave out `tags`")
            series = sums.tagged_series(name, tags, span, bucket)
        ends = sums.measured([name], tags)
        return as_source(await aggregate(info, span, series, ends, series_points))


@strawberry.type
class Mutations:
    @mutation("Record a measured value.", WRITE, Stored, shows=METRICS.one_item)
    async def record_metric(self, info: Info, input: Input[RecordMetricInput]) -> Stored:
        return await METRICS.one(info, input)

    @mutation("Record several measured values.", WRITE, StoredItems)
    async def record_metrics(self, info: Info, input: Input[RecordMetricsInput]) -> StoredItems:
        return await METRICS.many(info, input, "metrics")


# Streams

Filter = Annotated[
    MetricFilter | None,
    argument(
        f"Follow only values that match; all values if omitted. {SUBSCRIPTION_BOUNDS.description}"
    ),
]


@dataclass(frozen=True, slots=True)
class Measured(FilteredSource[db.metrics.Metric]):
    """Every measured value, or those that match a filter."""

    feed = "metrics"
    listing = db.metrics.LISTING


@strawberry.type
class Subscriptions:
    @stream(MetricsUpdate, "Measured values as they are stored. No value is skipped.", READ)
    async def metrics(self, _info: Info, filter: Filter = UNSET) -> Measured:
        return Measured(filter_condition(db.metrics.LISTING, filter))
