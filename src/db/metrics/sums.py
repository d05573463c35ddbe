"""Sums: summaries of series over time, from rollups of values."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Double,
    Integer,
    Numeric,
    Text,
    any_,
    case,
    cast,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.operators import OPERATORS
from db.core.query.time_range import (
    Bucket,
    TimeRange,
    bucket_start,
    first_and_last,
)
from db.core.rollup import (
    Pieces,
    Rollup,
    RollupTable,
    combined,
    counted,
    greatest,
    least,
    squared,
    summed,
)
from db.core.session.database import ReadSession, ResultRow
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Column, Count, Expression, checked
from db.core.timeouts import Kind, of_kind
from db.core.values import json, validation
from db.metrics import Metric

MEASURED = timedelta(hours=24)
SHORT = timedelta(days=2)  # summaries of which are read from the values
MAX_EXACT = 100_000  # values of all series of a page; percentiles of more are estimated

# PostgreSQL interpolates in double precision; SQLAlchemy would round that to the column's scale.
P95 = type_coerce(func.percentile_cont(0.95).within_group(Metric.value), Double).label("p95")

STEP = 1.02
_STEPS_BELOW_ONE = 1_000  # more than those from 1 down to the least value but zero


def _step() -> Expression:
    """The number of the step of a value: below zero for values below zero."""
    size = func.abs(cast(Metric.value, Double))
    steps = func.ceil(func.ln(func.nullif(size, 0)) / math.log(STEP)) + _STEPS_BELOW_ONE
    return cast(func.coalesce(func.sign(Metric.value) * cast(steps, Integer), 0), Integer)


def _middle(step: Expression) -> Expression:
    """The value in the middle of a step, at most 1 % from all of its values."""
    size = func.power(cast(STEP, Double), func.abs(step) - _STEPS_BELOW_ONE) * 2 / (STEP + 1)
    return case((step == 0, 0), else_=func.sign(step) * size)


class MetricSums(RollupTable):
    """Sums of the values of one series in a period."""

    __tablename__ = "metric_sums"

    metric_name: Mapped[str] = checked(validation.string(300), primary_key=True)
    count: Mapped[Count]
    total: Mapped[Decimal]
    minimum: Mapped[Decimal]
    maximum: Mapped[Decimal]
    least_unit: Mapped[str | None] = checked(validation.string(100, 0))
    greatest_unit: Mapped[str | None] = checked(validation.string(100, 0))
    first_timestamp: Mapped[datetime]
    last_timestamp: Mapped[datetime]
    squares: Mapped[Decimal | None]


class MetricValues(RollupTable):
    """The number of values of one series in a period that differ by at most 2 %: each step is one
    factor of STEP."""

    __tablename__ = "metric_values"

    metric_name: Mapped[str] = checked(validation.string(300), primary_key=True)
    step: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[Count]


BY_NAME = {"metric_name": Metric.metric_name}
ROLLUP = Rollup(
    MetricSums,
    Metric,
    Metric.timestamp,
    (Bucket.HOUR, Bucket.DAY),
    keys=BY_NAME,
    measures={
        "count": counted(),
        "total": summed(Metric.value),
        "minimum": least(Metric.value),
        "maximum": greatest(Metric.value),
        "least_unit": least(Metric.unit),
        "greatest_unit": greatest(Metric.unit),
        "first_timestamp": least(Metric.timestamp),
        "last_timestamp": greatest(Metric.timestamp),
        "squares": squared(type_coerce(Metric.value, Numeric)),
    },
)
VALUES = Rollup(
    MetricValues,
    Metric,
    Metric.timestamp,
    (Bucket.DAY, Bucket.MONTH),
    keys={**BY_NAME, "step": _step()},
    measures={"count": counted()},
)


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """The summary of one series in a time range."""

    metric_name: str
    unit: str | None
    average: Decimal
    minimum: Decimal
    maximum: Decimal
    count: int
    total: Decimal
    squares: Decimal | None
    p95: float
    first_timestamp: datetime
    last_timestamp: datetime


def _statistics(sums: Pieces) -> tuple[Expression, ...]:
    return (
        sums.mean("total", "count").label("average"),
        *map(sums.total, ("minimum", "maximum", "count", "total", "squares")),
    )


async def summaries(
    session: ReadSession,
    span: TimeRange,
    names: Sequence[str] | None,
    visibility: Visibility,
    first: int,
    skip: int,
) -> list[MetricSummary]:
    """The summaries of `first` series after `skip` others, by name."""

    async def read(statement: AnySelect) -> Sequence[ResultRow]:
        return await session.rows(of_kind(Kind.AGGREGATE, statement))

    span = span.or_last(MEASURED)
    if span.length <= SHORT:
        rows = await read(exact_summary(span, names).limit(first).offset(skip))
        return [MetricSummary(**row._mapping) for row in rows]
    rows = await read(summary(span, names, visibility).limit(first).offset(skip))
    on_page = [row.metric_name for row in rows]
    is_exact = sum(row._mapping["count"] for row in rows) <= MAX_EXACT
    percentiles = p95(span, on_page) if is_exact else estimated_p95(span, on_page, visibility)
    found = {row.metric_name: row.p95 for row in await read(percentiles)}
    return [
        MetricSummary(**row._mapping, p95=found[row.metric_name])
        for row in rows
        if row.metric_name in found
    ]


def exact_summary(span: TimeRange, names: Sequence[str] | None) -> AnySelect:
    """A summary with its percentiles, from the values."""
    time = Metric.timestamp
    low, high = func.min(Metric.unit), func.max(Metric.unit)
    ends = func.min(time).label("first_timestamp"), func.max(time).label("last_timestamp")
    unit = case((low == high, low)).label("unit")
    return (
        select(Metric.metric_name, unit, *_exact_statistics(), P95, *ends)
        .where(*_among(Metric.metric_name, names), *span.of(Metric.id))
        .group_by(Metric.metric_name)
        .order_by(Metric.metric_name)
    )


def _exact_statistics() -> list[Expression]:
    value = Metric.value
    statistics: dict[str, Expression] = {
        "average": func.avg(value),
        "minimum": func.min(value),
        "maximum": func.max(value),
        "count": func.count(),
        "total": func.sum(value),
        "squares": func.sum(type_coerce(value, Numeric) * type_coerce(value, Numeric)),
    }
    return [each.label(name) for name, each in statistics.items()]


def summary(span: TimeRange, names: Sequence[str] | None, visibility: Visibility) -> AnySelect:
    sums = combined(ROLLUP, span, visibility)
    name, (low, high) = sums.key("metric_name"), map(sums.total, ("least_unit", "greatest_unit"))
    ends = map(sums.total, ("first_timestamp", "last_timestamp"))
    return (
        select(name, case((low == high, low)).label("unit"), *_statistics(sums), *ends)
        .where(*_among(name, names))
        .group_by(name)
        .order_by(name)
    )


def p95(span: TimeRange, names: Sequence[str] | None) -> AnySelect:
    name = Metric.metric_name
    return select(name, P95).where(*_among(name, names), *span.of(Metric.id)).group_by(name)


def estimated_p95(
    span: TimeRange, names: Sequence[str] | None, visibility: Visibility
) -> AnySelect:
    """The value at the place of the percentile, or between the two around it, each of them the
    middle of its step: at most 1 % from the exact one."""
    values = combined(VALUES, span, visibility)
    keys = values.key("metric_name"), values.key("step")
    counts = select(*keys, values.total("count")).where(*_among(keys[0], names)).group_by(*keys)
    step = counts.subquery("step").c
    until = func.sum(step.count).over(partition_by=step.metric_name, order_by=step.step)
    all_of = func.sum(step.count).over(partition_by=step.metric_name)
    ranked = (
        select(
            step.metric_name, step.step, until.label("until"), ((all_of - 1) * 0.95).label("place")
        )
        .subquery("ranked")
        .c
    )
    middle = _middle(ranked.step)
    lower = func.min(middle).filter(ranked.until > func.floor(ranked.place))
    upper = func.min(middle).filter(ranked.until > func.ceil(ranked.place))
    share = cast(func.min(ranked.place) - func.floor(func.min(ranked.place)), Double)
    return select(ranked.metric_name, (lower + (upper - lower) * share).label("p95")).group_by(
        ranked.metric_name
    )


def _among(name: Expression | Column, names: Sequence[str] | None) -> list[ColumnElement[bool]]:
    return [] if names is None else [name == any_(literal(names, ARRAY(Text)))]


def series(name: str, span: TimeRange, bucket: Bucket, visibility: Visibility) -> AnySelect:
    sums = combined(ROLLUP, span.or_last(MEASURED), visibility, bucket)
    start = sums.bucket(bucket)
    of_series = sums.key("metric_name") == name
    return select(start, *_statistics(sums)).where(of_series).group_by(start).order_by(start)


def tagged_series(name: str, tags: object, span: TimeRange, bucket: Bucket) -> AnySelect:
    """A series of the values that have these tags, from the values: rollups do not know tags."""
    start = bucket_start(Metric.timestamp, bucket)
    return (
        select(start, *_exact_statistics())
        .where(Metric.metric_name == name, _has(tags), *span.or_last(MEASURED).of(Metric.id))
        .group_by(start)
        .order_by(start)
    )


def measured(names: Sequence[str] | None, tags: object | None = None) -> AnySelect:
    """The times of the first and the last value of some series, or of all. One name of a list is
    compared as such, so that the index has the values in their order."""
    among = [] if names is None else [Metric.metric_name.in_(names)]
    tagged = [] if tags is None else [_has(tags)]
    return first_and_last(Metric.timestamp, Metric.id, *among, *tagged)


def _has(tags: object) -> ColumnElement[bool]:
    return OPERATORS["has"].sql(Metric.tags, json.dumps(tags).decode())
