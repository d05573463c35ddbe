"""Metrics: numbers measured over time, many series side by side."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    ARRAY,
    Double,
    Executable,
    Index,
    Numeric,
    Select,
    Text,
    any_,
    case,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core import check
from db.core.ingest import Intake
from db.core.item import rules, stored
from db.core.listing import Listing, by_name
from db.core.span import Bucket, Span, bucket_of
from db.core.table import Id, Json, Table, checked


class Metric(Table):
    """One measured value of one series."""

    __tablename__ = "performance_metrics"
    __table_args__ = (
        Index(None, "metric_name", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    metric_name: Mapped[str] = checked(check.string(300))  # may hold the key of an agent, and more
    value: Mapped[Decimal] = mapped_column(Numeric(15, 6))
    unit: Mapped[str | None] = checked(check.string(100, 0))
    tags: Mapped[Json]
    timestamp: Mapped[datetime]


MAX_VALUE = Decimal("999999999.999999")  # the most that the column holds

MEASURED = timedelta(hours=24)

LISTING = Listing(
    Metric,
    filters=by_name(Metric.metric_name, Metric.value, Metric.unit, Metric.timestamp),
    orders={"TIMESTAMP": Metric.id},
    time=Metric.timestamp,
)

STATISTICS = (
    func.avg(Metric.value).label("average"),
    func.min(Metric.value).label("minimum"),
    func.max(Metric.value).label("maximum"),
    func.count().label("count"),
)
# PostgreSQL interpolates in double precision; SQLAlchemy would round that to the column's scale.
P95 = type_coerce(func.percentile_cont(0.95).within_group(Metric.value), Double).label("p95")
UNIT = case((func.min(Metric.unit) == func.max(Metric.unit), func.min(Metric.unit))).label("unit")
ENDS = (
    func.min(Metric.timestamp).label("first_timestamp"),
    func.max(Metric.timestamp).label("last_timestamp"),
)


def summary(span: Span, names: Sequence[str] | None) -> Executable:
    """What is known of each series, or of those named, by name; the last 24 hours by default."""
    named = [] if names is None else [Metric.metric_name == any_(literal(names, ARRAY(Text)))]
    return (
        select(Metric.metric_name, UNIT, *STATISTICS, P95, *ENDS)
        .where(*named, *span.or_last(MEASURED).of(Metric.id))
        .group_by(Metric.metric_name)
        .order_by(Metric.metric_name)
    )


def series(name: str, span: Span, bucket: Bucket) -> Select[Any]:
    """One series per bucket that has any value, oldest first; the last 24 hours by default."""
    start = bucket_of(Metric.timestamp, bucket)
    return (
        select(start, *STATISTICS)
        .where(Metric.metric_name == name, *span.or_last(MEASURED).of(Metric.id))
        .group_by(start)
        .order_by(start)
    )


RECORDED = Intake("metrics", (Metric,), rules(Metric), stored(Metric))
