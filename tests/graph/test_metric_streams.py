"""Metrics, followed as they are stored."""

from typing import Any

import pytest
from sqlalchemy import update

from db import Database
from db.metrics import Metric
from support.factories import make_metric
from support.principals import with_scopes
from support.stored_rows import execute
from support.subscriptions import Follow, Refused

METRICS = """subscription ($filter: MetricFilter, $after: String) {
  metrics(filter: $filter, after: $after) { kind cursor metrics { metricName value unit } }
}"""


def values(messages: list[Any]) -> list[float]:
    return [metric["value"] for message in messages for metric in message["metrics"]]


async def test_every_value_is_sent_in_order(database: Database, follow: Follow) -> None:
    await make_metric(database, value=99)
    follower = await follow(METRICS, who=with_scopes("metrics:read"))
    first = await follower.number(1)
    assert (first["kind"], first["metrics"]) == ("SNAPSHOT", [])

    for number in range(30):
        await make_metric(database, value=number)
    assert values(await follower.until(lambda messages: len(values(messages)) == 30)) == [
        *range(30)
    ]


async def test_a_cursor_resumes_after_its_message(database: Database, follow: Follow) -> None:
    cursor = (await (await follow(METRICS)).number(1))["cursor"]
    for number in range(3):
        await make_metric(database, value=number)

    again = await follow(METRICS, {"after": cursor})
    assert values(await again.until(lambda messages: len(values(messages)) == 3)) == [0, 1, 2]


async def test_a_filter_selects_values(database: Database, follow: Follow) -> None:
    follower = await follow(METRICS, {"filter": {"metricName": {"eq": "latency"}}})
    await follower.number(1)
    await make_metric(database, metric_name="load", value=1)
    await make_metric(database, metric_name="latency", value=2, unit="ms")

    assert (await follower.number(2))["metrics"] == [
        {"metricName": "latency", "value": 2, "unit": "ms"}
    ]


async def test_values_of_an_earlier_version_are_not_sent(
    database: Database, follow: Follow
) -> None:
    """They have no number, and are neither in a snapshot nor after a cursor."""
    old = await make_metric(database, value=1)
    await execute(database, update(Metric).where(Metric.id == old.id).values(seq=None))
    cursor = (await (await follow(METRICS)).number(1))["cursor"]
    await make_metric(database, value=2)

    again = await follow(METRICS, {"after": cursor})
    assert (await again.number(1))["metrics"][0]["value"] == 2


async def test_those_without_the_scope_are_refused(follow: Follow) -> None:
    with pytest.raises(Refused) as refused:
        await follow(METRICS, who=with_scopes("events:read"))
    assert refused.value.errors[0]["extensions"]["code"] == "FORBIDDEN"
