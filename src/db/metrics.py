"""Metrics: measured values of named series."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import (
    ARRAY,
    Double,
    Executable,
    Index,
    Numeric,
    Text,
    any_,
    case,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core.ingest.rows import row_validator
from db.core.ingest.statements import insert_batch
from db.core.ingest.writer import IngestTarget
from db.core.query.listing import ListSpec, columns_by_name
from db.core.query.time_range import Bucket, TimeRange, bucket_start
from db.core.table import AnySelect, Id, Json, Table, checked
from db.core.values import validation


class Metric(Table):
    """One measured value of one series."""

    __tablename__ = "performance_metrics"
    __table_args__ = (
        Index(None, "metric_name", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    metric_name: Mapped[str] = checked(validation.string(300))  # may contain the key of an agent
    value: Mapped[Decimal] = mapped_column(Numeric(15, 6))
    unit: Mapped[str | None] = checked(validation.string(100, 0))
    tags: Mapped[Json]
    timestamp: Mapped[datetime]


MAX_VALUE = Decimal("999999999.999999")  # the most that the column holds

MEASURED = timedelta(hours=24)

LISTING = ListSpec(
    Metric,
    filters=columns_by_name(Metric.metric_name, Metric.value, Metric.unit, Metric.timestamp),
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


def summary(span: TimeRange, names: Sequence[str] | None) -> Executable:
    named = [] if names is None else [Metric.metric_name == any_(literal(names, ARRAY(Text)))]
    return (
        select(Metric.metric_name, UNIT, *STATISTICS, P95, *ENDS)
        .where(*named, *span.or_last(MEASURED).of(Metric.id))
        .group_by(Metric.metric_name)
        .order_by(Metric.metric_name)
    )


def series(name: str, span: TimeRange, bucket: Bucket) -> AnySelect:
    start = bucket_start(Metric.timestamp, bucket)
    return (
        select(start, *STATISTICS)
        .where(Metric.metric_name == name, *span.or_last(MEASURED).of(Metric.id))
        .group_by(start)
        .order_by(start)
    )


RECORDED = IngestTarget("metrics", (Metric,), row_validator(Metric), insert_batch(Metric))
