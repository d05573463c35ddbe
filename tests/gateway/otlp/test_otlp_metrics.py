"""Metrics over OTLP: data points are metrics, each stored or refused on its own."""

import math

import httpx2
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from db import Database
from db.metrics import Metric
from gateway.otlp.faults import MAX_ITEMS
from support.otlp import (
    METRICS,
    attributes,
    gauges,
    now,
    rows,
    send,
)


async def test_data_points_are_metrics(database: Database, exporter: httpx2.AsyncClient) -> None:
    request, at = ExportMetricsServiceRequest(), now()
    around = request.resource_metrics.add()
    around.resource.attributes.extend(attributes(service__name="solver", host__name="a"))
    metrics = around.scope_metrics.add().metrics
    tagged = {"time_unix_nano": at, "attributes": attributes(model="gpt-5")}
    metrics.add(name="gauge", unit="By").gauge.data_points.add(as_int=7, **tagged)
    metrics.add(name="sum").sum.data_points.add(as_double=1.5, **tagged)
    metrics.add(name="histogram", unit="s").histogram.data_points.add(
        count=4, sum=2.5, min=0.25, max=1, **tagged
    )
    metrics.add(name="exponential", unit="s").exponential_histogram.data_points.add(
        count=4, sum=2.5, **tagged
    )
    summary = metrics.add(name="summary", unit="s").summary.data_points.add(
        count=4, sum=2.5, **tagged
    )
    summary.quantile_values.add(quantile=0.95, value=1)
    nothing = metrics.add(name="nothing").gauge.data_points.add(flags=1)
    nothing.time_unix_nano = at

    for _ in range(2):
        answer = await send(exporter, METRICS, request)
        assert answer.content == b"", answer.content
    found = await rows(database, Metric)
    assert sorted((row.metric_name, float(row.value), row.unit) for row in found) == [
        ("exponential.count", 4, "1"),
        ("exponential.sum", 2.5, "s"),
        ("gauge", 7, "By"),
        ("histogram.count", 4, "1"),
        ("histogram.max", 1, "s"),
        ("histogram.min", 0.25, "s"),
        ("histogram.sum", 2.5, "s"),
        ("sum", 1.5, None),
        ("summary.count", 4, "1"),
        ("summary.q0.95", 1, "s"),
        ("summary.sum", 2.5, "s"),
    ]
    tags = {"service.name": "solver", "host.name": "a", "model": "gpt-5"}
    assert all(row.tags == tags for row in found)
    assert {row.timestamp.timestamp() for row in found} == {at // 1000 / 1e6}


async def test_each_item_is_refused_on_its_own(
    database: Database, exporter: httpx2.AsyncClient
) -> None:
    points = [
        {},
        {"as_double": math.nan},
        {"as_double": math.inf},
        {"as_double": 1e9},
        {"time_unix_nano": 0},
        {"time_unix_nano": now() + 3600 * 10**9},
        {"time_unix_nano": 1},
        {"time_unix_nano": 2**64 - 1},
        {"attributes": attributes(text="x" * 100_001)},
        {"attributes": attributes(**{f"a{n}": 1 for n in range(2_001)})},
        {"attributes": attributes(nul="a\0b")},
    ]
    answer = await send(exporter, METRICS, gauges(*points))
    assert answer.status_code == 200
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_data_points == len(points) - 1
    time_limits = "The time must be between ten years ago and five minutes from now."
    assert partial.error_message.startswith(f"3 of: timestamp: {time_limits}; ")
    assert "2 of: value: not a finite number" in partial.error_message
    assert len(partial.error_message) < 1_000
    assert len(await rows(database, Metric)) == 1


async def test_items_beyond_the_limit_are_refused(
    database: Database, exporter: httpx2.AsyncClient
) -> None:
    at = now()
    points = [{"time_unix_nano": at + 1_000 * n} for n in range(10_000)]
    answer = await send(exporter, METRICS, gauges(*points))
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_data_points == 10_000 - MAX_ITEMS
    assert partial.error_message == (
        "1808 of: the request has more than 8,192 items; send smaller batches"
    )
    assert len(await rows(database, Metric)) == MAX_ITEMS
