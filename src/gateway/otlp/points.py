"""Points: data points of metrics, each one value or several. docs/otlp.md has the mapping."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    DataPointFlags,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from db.core.values.json import JsonObject
from gateway.otlp.faults import MAX_VALUES, Refused, too_many_values
from gateway.otlp.parts import Item
from gateway.otlp.rows import METRICS, Row
from gateway.otlp.values import SERVICE, Origin, attributes, digest, origin, text, time

Histogram = HistogramDataPoint | ExponentialHistogramDataPoint
Point = NumberDataPoint | Histogram | SummaryDataPoint
TYPES: dict[str, Callable[[], Point]] = {
    "gauge": NumberDataPoint,
    "sum": NumberDataPoint,
    "histogram": HistogramDataPoint,
    "exponentialHistogram": ExponentialHistogramDataPoint,
    "summary": SummaryDataPoint,
}
TAGGED = (SERVICE, "host.name")  # attributes of the resource that are tags, too
COUNTED = "1"  # the unit of a number of things


class Value(NamedTuple):
    """A value of a data point: the end of its series' name, and its own unit, if they differ."""

    value: float
    suffix: str = ""
    unit: str | None = None


def rows(item: Item) -> list[Row]:
    """Raises Refused, Malformed."""
    *_, metric_part, kind = item.around
    metric, source = metric_part.read(Metric), origin(item)
    point = item.part.read(TYPES[kind.name])
    if point.flags & DataPointFlags.DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK:
        return []
    tags = _tags(source, attributes(point.attributes))
    key = digest(metric.name, source.resource, source.scope, tags)
    return [Row(METRICS, _metric(metric, each, tags, point, key)) for each in _values(point)]


def _metric(metric: Metric, each: Value, tags: JsonObject, point: Point, key: str) -> JsonObject:
    if not math.isfinite(each.value):
        raise Refused(f"value{each.suffix}: not a finite number")
    return {
        "metricName": f"{metric.name}{each.suffix}",
        "value": each.value,
        "unit": text(metric.unit) if each.unit is None else each.unit,
        "tags": tags,
        "timestamp": time(point.time_unix_nano),
        "idempotencyKey": f"{key}{each.suffix}",
    }


def _tags(source: Origin, found: JsonObject) -> JsonObject:
    own = {name: source.resource[name] for name in TAGGED if name in source.resource}
    return own | found


def _values(point: Point) -> Iterator[Value]:
    if isinstance(point, NumberDataPoint):
        yield _number(point)
        return
    yield Value(point.count, ".count", COUNTED)
    if isinstance(point, SummaryDataPoint):
        yield from _summary(point)
    else:
        yield from _histogram(point)


def _number(point: NumberDataPoint) -> Value:
    match point.WhichOneof("value"):
        case "as_int":
            return Value(point.as_int)
        case "as_double":
            return Value(point.as_double)
    raise Refused("value: missing")


def _histogram(point: Histogram) -> Iterator[Value]:
    if point.HasField("sum"):
        yield Value(point.sum, ".sum")
    if point.HasField("min"):
        yield Value(point.min, ".min")
    if point.HasField("max"):
        yield Value(point.max, ".max")


def _summary(point: SummaryDataPoint) -> Iterator[Value]:
    if len(point.quantile_values) > MAX_VALUES:
        raise too_many_values()
    yield Value(point.sum, ".sum")
    for each in point.quantile_values:
        yield Value(each.value, f".q{each.quantile:g}")
