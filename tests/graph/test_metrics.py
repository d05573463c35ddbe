"""Metrics: one by one, and taken together."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from db import Database
from db.core.ids import uuid7
from db.core.schema import partition
from db.metrics import Metric
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types.node import global_id
from support.factories import START, make_metric
from support.principals import with_scopes
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[OperationResult]]

KEY = with_scopes("metrics:read")
MEMBER = Principal(role=Role.MEMBER)


async def measure(database: Database, name: str, minute: int, value: Any, **facts: Any) -> Any:
    at = START + timedelta(minutes=minute)
    return await make_metric(database, metric_name=name, timestamp=at, value=str(value), **facts)


@pytest.mark.parametrize("values", [1, 5])
async def test_metrics_are_one_statement(database: Database, data: Data, values: int) -> None:
    made = [await measure(database, "cpu", n, n + 0.5, tags={"host": n}) for n in range(values)]
    document = "{ metrics { nodes { id metricName value unit tags timestamp } } }"
    with statements(database, exactly=1):
        answer = await data(document)

    assert answer["metrics"]["nodes"] == [
        {
            "id": global_id(made[n]),
            "metricName": "cpu",
            "value": n + 0.5,
            "unit": "percent",
            "tags": {"host": n},
            "timestamp": f"2026-01-15T12:0{n}:00.000000Z",
        }
        for n in reversed(range(values))
    ]


async def test_metrics_are_filtered_and_found_by_id(database: Database, data: Data) -> None:
    await measure(database, "cpu", 0, 10)
    high = await measure(database, "cpu", 1, 90)
    await measure(database, "memory", 2, 95)
    document = """query ($id: ID!, $from: DateTime!) {
        metrics(filter: {metricName: {eq: "cpu"}, value: {gte: 89.5}}) { totalCount nodes { id } }
        later: metrics(filter: {timestamp: {gte: $from}}, orderBy: [{field: TIMESTAMP}]) {
            nodes { value }
        }
        metric(id: $id) { value }
    }"""
    with statements(database, exactly=6):  # with the ends of two looks: no index has values
        answer = await data(document, {"id": global_id(high), "from": "2026-01-15T12:01:00Z"})

    assert answer == {
        "metrics": {"totalCount": 1, "nodes": [{"id": global_id(high)}]},
        "later": {"nodes": [{"value": 90.0}, {"value": 95.0}]},
        "metric": {"value": 90.0},
    }


SUMMARY = """query ($from: DateTime, $to: DateTime, $names: [String!]) {
    metricSummary(from: $from, to: $to, names: $names) { rows {
        metricName unit average minimum maximum count p95 firstTimestamp lastTimestamp
    } }
}"""


async def test_a_summary_takes_each_series_together(database: Database, data: Data) -> None:
    for n in range(1, 21):
        await measure(database, "cpu", n, n)
    await measure(database, "network", 1, 1, unit="bytes")
    await measure(database, "network", 2, 3, unit="packets")
    await measure(database, "network", 30, 100, unit="bytes")
    times = {"from": "2026-01-15T12:00:00Z", "to": "2026-01-15T12:30:00Z"}
    with statements(database, exactly=1):
        answer = await data(SUMMARY, times)

    assert answer["metricSummary"]["rows"] == [
        {
            "metricName": "cpu",
            "unit": "percent",
            "average": 10.5,
            "minimum": 1.0,
            "maximum": 20.0,
            "count": "20",
            "p95": 19.05,
            "firstTimestamp": "2026-01-15T12:01:00.000000Z",
            "lastTimestamp": "2026-01-15T12:20:00.000000Z",
        },
        {
            "metricName": "network",
            "unit": None,
            "average": 2.0,
            "minimum": 1.0,
            "maximum": 3.0,
            "count": "2",
            "p95": 2.9,
            "firstTimestamp": "2026-01-15T12:01:00.000000Z",
            "lastTimestamp": "2026-01-15T12:02:00.000000Z",
        },
    ]


@pytest.mark.parametrize(
    ("names", "found"),
    [(None, ["a", "b", "c"]), (["c", "a", "z"], ["a", "c"]), ([], [])],
)
async def test_a_summary_of_the_last_day_is_of_the_series_named(
    database: Database, data: Data, names: list[str] | None, found: list[str]
) -> None:
    now = datetime.now(UTC)
    for name in ("b", "a", "c"):
        await make_metric(database, metric_name=name, timestamp=now - timedelta(hours=23))
    await make_metric(database, metric_name="old", timestamp=now - timedelta(hours=25))

    answer = await data(SUMMARY, {"names": names})

    assert [summary["metricName"] for summary in answer["metricSummary"]["rows"]] == found


async def test_a_series_has_a_point_where_something_was_measured(
    database: Database, data: Data
) -> None:
    for minute, value in ((0, 1), (59, 2), (120, 5), (180, 9)):
        await measure(database, "cpu", minute, value)
    await measure(database, "memory", 1, 99)
    document = """{
        metricSeries(
            name: "cpu", from: "2026-01-15T12:00:00Z", to: "2026-01-15T15:00:00Z", bucket: HOUR
        ) { rows { bucket average minimum maximum count } }
    }"""
    with statements(database, exactly=1):
        answer = await data(document)

    assert answer["metricSeries"]["rows"] == [
        {
            "bucket": "2026-01-15T12:00:00.000000Z",
            "average": 1.5,
            "minimum": 1.0,
            "maximum": 2.0,
            "count": "2",
        },
        {
            "bucket": "2026-01-15T14:00:00.000000Z",
            "average": 5.0,
            "minimum": 5.0,
            "maximum": 5.0,
            "count": "1",
        },
    ]


@pytest.mark.parametrize(
    ("tags", "averages", "first"),
    [
        (None, [2.5], "2026-01-15T12:00:00.000000Z"),
        ({"host": "a"}, [2.0], "2026-01-15T12:00:00.000000Z"),
        ({"host": "a", "disk": {"name": "sda"}}, [3.0], "2026-01-15T12:02:00.000000Z"),
        ({"host": "c"}, [], None),
    ],
)
async def test_a_series_is_of_the_values_with_some_tags(
    database: Database,
    data: Data,
    tags: object,
    averages: list[float],
    first: str | None,
) -> None:
    of = [{"host": "a"}, {"host": "b"}, {"host": "a", "disk": {"name": "sda"}}, {}]
    for minute, each in enumerate(of):
        at = START + timedelta(minutes=minute)
        await make_metric(database, metric_name="cpu", value=minute + 1, tags=each, timestamp=at)
    await make_metric(database, metric_name="memory", value=99, tags={"host": "a"}, timestamp=START)
    document = """query ($tags: JSON) {
        metricSeries(
            name: "cpu", from: "2026-01-15T12:00:00Z", to: "2026-01-15T15:00:00Z", tags: $tags
        ) { dataRange { from } rows { average } }
    }"""
    answer = (await data(document, {"tags": tags}))["metricSeries"]

    assert [row["average"] for row in answer["rows"]] == averages
    assert answer["dataRange"] == (first and {"from": first})


@pytest.mark.parametrize(
    ("arguments", "message", "field"),
    [
        ("tags: {}", "Every object and list in it must have a value.", "tags"),
        ('tags: "a"', "This must be a JSON object.", "tags"),
        (
            'tags: { host: "a" }, from: "2020-01-01T00:00:00Z"',
            "The time range is longer than 92 days; use a shorter one, or leave out `tags`.",
            "from",
        ),
    ],
)
async def test_tags_and_their_range_have_bounds(
    run: Run, arguments: str, message: str, field: str
) -> None:
    answer = await run(f'{{ metricSeries(name: "cpu", {arguments}) {{ rows {{ count }} }} }}')
    [error] = answer.errors
    assert error["message"] == message
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert error["extensions"].get("field") in (field, None)


async def test_a_series_is_of_the_last_day_by_default(database: Database, data: Data) -> None:
    now = datetime.now(UTC)
    for hours in (25, 23):
        await make_metric(database, value=str(hours), timestamp=now - timedelta(hours=hours))

    answer = await data('{ metricSeries(name: "cpu") { rows { average } } }')

    assert answer["metricSeries"]["rows"] == [{"average": 23.0}]


async def test_a_series_has_no_more_than_10_000_points(database: Database, run: Run) -> None:
    await store_each_minute(database, 10_001)
    document = """query ($from: DateTime!) {
        metricSeries(name: "cpu", from: $from, bucket: MINUTE) { rows { count } }
    }"""
    with statements(database, exactly=2):
        enough = await run(document, {"from": "2026-01-15T12:01:00Z"})
        refused = await run(document, {"from": "2026-01-15T12:00:00Z"})

    assert enough == OperationResult({"metricSeries": {"rows": [{"count": "1"}] * 10_000}}, [])
    assert [(error["message"], error["extensions"]["code"]) for error in refused.errors] == [
        ("More than 10000 points; use a wider bucket or a shorter time range.", "BAD_USER_INPUT")
    ]


async def store_each_minute(database: Database, minutes: int) -> None:
    times = [START + timedelta(minutes=minute) for minute in range(minutes)]
    rows = [{"id": uuid7(at), "metric_name": "cpu", "value": 1, "timestamp": at} for at in times]
    async with database.write() as session:
        await partition.ensure(session, Metric, times)
        await session.execute(insert(Metric.__table__), rows)


@pytest.mark.parametrize(
    ("who", "code"), [(KEY, None), (MEMBER, "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")]
)
async def test_metrics_are_for_operators_and_keys_with_the_scope(
    run: Run, who: Principal, code: str | None
) -> None:
    answer = await run("{ metrics { nodes { value } } metricSummary { rows { p95 } } }", who=who)

    assert [error["extensions"]["code"] for error in answer.errors] == ([code] if code else [])
