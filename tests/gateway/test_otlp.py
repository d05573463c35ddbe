"""OTLP over HTTP, in production, with keys: what is stored, and what is refused."""

import base64
import gzip
import json
import math
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from sqlalchemy import select

from db import Database
from db.ai_tests import AiTest
from db.events import API_SERVER, Event
from db.metrics import Metric
from gateway.otlp.faults import MAX_ITEMS
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import gateway, make_key, production

PROTOBUF = {"content-type": "application/x-protobuf"}
TRACES, METRICS, LOGS = "/v1/traces", "/v1/metrics", "/v1/logs"
SCOPES = ["events:write", "metrics:write", "tests:write"]


@pytest.fixture
async def owner(database: Database) -> Any:
    return await make_user(database, role="OPERATOR")


@pytest.fixture
async def exporter(database: Database, owner: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key that may write events, metrics and tests, and nothing else."""
    settings = production()
    key = await make_key(database, settings, scopes=SCOPES, user_id=owner.id)
    app = gateway(settings, Database(database.url))
    headers = {"authorization": f"Bearer {key.text}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app), base_url="http://api.example", headers=headers
        ) as client,
    ):
        yield client


def now() -> int:
    return time.time_ns()


def attributes(**values: Any) -> list[KeyValue]:
    return [pair(name.replace("__", "."), value) for name, value in values.items()]


def pair(name: str, value: Any) -> KeyValue:
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}
    return KeyValue(key=name, value=AnyValue(**{kinds[type(value)]: value}))


def traces(*spans: dict[str, Any]) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    around = request.resource_spans.add()
    around.resource.attributes.extend(attributes(service__name="solver"))
    scope = around.scope_spans.add()
    scope.scope.name = "tracer"
    for number, span in enumerate(spans, start=1):
        ids = {"trace_id": b"t" * 16, "span_id": number.to_bytes(8)}
        started = {"start_time_unix_nano": now(), "end_time_unix_nano": now() + 2_000_000_000}
        scope.spans.add(**(ids | {"name": "chat"} | started | span))
    return request


def logs(*records: dict[str, Any]) -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for record in records:
        scope.log_records.add(**({"time_unix_nano": now()} | record))
    return request


def gauges(*points: dict[str, Any]) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="load", unit="1")
    for point in points:
        metric.gauge.data_points.add(**({"time_unix_nano": now(), "as_double": 0.5} | point))
    return request


async def send(client: httpx2.AsyncClient, path: str, request: Any, **headers: str) -> Any:
    return await client.post(path, content=request.SerializeToString(), headers=PROTOBUF | headers)


async def rows(database: Database, table: Any) -> list[Any]:
    async with database.unrestricted().read() as session:
        found = await session.records(table, select(table).order_by(table.id))
    return [row for row in found if getattr(row, "source", None) != API_SERVER]


async def test_a_span_that_names_a_dream_is_a_test(
    database: Database, exporter: httpx2.AsyncClient, owner: Any
) -> None:
    dream = await make_dream(database, user_id=owner.id)
    span = {
        "attributes": [
            *attributes(
                gen_ai__provider__name="OpenAI",
                gen_ai__request__model="gpt-5",
                gen_ai__response__model="gpt-5-2026",
                gen_ai__usage__input_tokens=100,
                gen_ai__usage__output_tokens=23,
                gen_ai__request__temperature=0.5,
            ),
            pair("dreamnet.dream.id", global_id(dream)),
            pair("dreamnet.test.impossibility_score", 62.5),
            pair("dreamnet.test.confidence", 90),
            pair("dreamnet.test.reasoning", "Half of it."),
            pair("dreamnet.test.cost", 0.25),
        ]
    }
    request = traces(span)

    for _ in range(2):  # a batch that is sent again is stored once
        answer = await send(exporter, TRACES, request)
        assert answer.status_code == 200, answer.content
        assert answer.headers["content-type"] == "application/x-protobuf"
        assert answer.content == b""

    [test] = await rows(database, AiTest)
    shown = {
        name: getattr(test, name)
        for name in ("provider", "model", "status", "reasoning", "duration", "tokens_used")
    }
    assert shown == {
        "provider": "openai",
        "model": "gpt-5-2026",
        "status": "COMPLETED",
        "reasoning": "Half of it.",
        "duration": 2000,
        "tokens_used": 123,
    }
    assert (float(test.impossibility_score), float(test.confidence)) == (62.5, 90)
    assert (float(test.cost), test.dream_id, test.user_id) == (0.25, dream.id, owner.id)
    kept = test.test_parameters
    assert kept["trace_id"] == (b"t" * 16).hex()
    assert kept["attributes"]["gen_ai.request.temperature"] == 0.5
    assert "dreamnet.dream.id" not in kept["attributes"]
    assert await rows(database, Event) == []


async def test_other_spans_are_events(database: Database, exporter: httpx2.AsyncClient) -> None:
    failed = attributes(gen_ai__operation__name="execute_tool", error__type="timeout")
    answer = await send(exporter, TRACES, traces({}, {"attributes": failed, "kind": 3}))
    assert answer.content == b""

    plain, tool = await rows(database, Event)
    assert (plain.event_type, plain.source, plain.severity) == ("span", "solver", "INFO")
    assert plain.payload == {
        "name": "chat",
        "trace_id": (b"t" * 16).hex(),
        "span_id": "0000000000000001",
        "duration_ms": 2000,
        "attributes": {},
    }
    assert plain.metadata == {"resource": {"service.name": "solver"}, "scope": {"name": "tracer"}}
    assert (tool.event_type, tool.severity) == ("gen_ai.execute_tool", "ERROR")
    assert tool.payload["kind"] == "CLIENT"


async def test_log_records_are_events(database: Database, exporter: httpx2.AsyncClient) -> None:
    at = now()
    same = {"time_unix_nano": at, "severity_number": 13, "body": AnyValue(string_value="Slow.")}
    request = logs(
        same,
        same,
        {"event_name": "deployed", "time_unix_nano": 0, "observed_time_unix_nano": at},
        {"time_unix_nano": 0},
    )
    for _ in range(2):
        answer = await exporter.post(LOGS, **as_json(request, at))
        assert answer.json() == {
            "partialSuccess": {
                "rejectedLogRecords": "1",
                "errorMessage": "1 of: time: missing",
            }
        }
    # The same in protobuf is the same.
    assert (await send(exporter, LOGS, request)).status_code == 200

    found = sorted((event.event_type, event.severity) for event in await rows(database, Event))
    assert found == [("deployed", "INFO"), ("log", "WARNING"), ("log", "WARNING")]
    assert {event.source for event in await rows(database, Event)} == {"unknown_service"}


def as_json(request: ExportLogsServiceRequest, at: int) -> dict[str, Any]:
    """The request above as an exporter of JSON writes it, with fields of a later version."""
    same = {
        "timeUnixNano": str(at),
        "severityNumber": 13,
        "body": {"stringValue": "Slow."},
        "future": {"a": [1]},
    }
    named = {"eventName": "deployed", "observedTimeUnixNano": str(at), "traceId": ""}
    records = [same, same, named, {"timeUnixNano": "0"}]
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}], "later": 1}]}
    return {"json": body}


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


async def test_spans_with_wrong_values_are_refused(
    database: Database, exporter: httpx2.AsyncClient, owner: Any
) -> None:
    dream = global_id(await make_dream(database, user_id=owner.id))
    named = attributes(gen_ai__system="openai", gen_ai__request__model="gpt-5")

    def test(*more: KeyValue) -> dict[str, Any]:
        return {"attributes": [*named, pair("dreamnet.dream.id", dream), *more]}

    answer = await send(
        exporter,
        TRACES,
        traces(
            test(),
            test(pair("dreamnet.test.impossibility_score", "12")),
            test(pair("dreamnet.test.impossibility_score", math.nan)),
            test(pair("dreamnet.test.impossibility_score", 101)),
            test(
                pair("gen_ai.usage.input_tokens", 2**62), pair("gen_ai.usage.output_tokens", 2**62)
            ),
            {"attributes": [pair("dreamnet.dream.id", dream)]},
            {"attributes": [*named, pair("dreamnet.dream.id", "dream_1")]},
            {"attributes": [*named, pair("dreamnet.dream.id", 7)]},
            {"trace_id": b"\0" * 16},
            {"span_id": b"abc"},
        ),
    )
    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_spans == 9
    assert len(await rows(database, AiTest)) == 1


async def test_a_key_stores_what_it_may(database: Database, owner: Any) -> None:
    settings = production()
    app = gateway(settings, Database(database.url))
    key = await make_key(database, settings, scopes=["metrics:write"], user_id=owner.id)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://api.example") as client:
            anonymous = await send(client, METRICS, gauges({}))
            client.headers["authorization"] = f"Bearer {key.text}"
            stored = await send(client, METRICS, gauges({}))
            forbidden = await send(client, LOGS, logs({}, {}))
            client.headers["authorization"] = f"Bearer {key.text}x"
            invalid = await send(client, METRICS, gauges({}))
    assert [each.status_code for each in (anonymous, stored, forbidden, invalid)] == [
        *(401, 200, 403, 401)
    ]
    assert "events:write" in Status.FromString(forbidden.content).message
    assert Status.FromString(anonymous.content).code == 16
    assert anonymous.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("headers", "body", "status", "said"),
    [
        ({"content-type": "text/plain"}, b"x", 415, "application/x-protobuf"),
        ({}, b"x", 415, "application/x-protobuf"),
        ({**PROTOBUF, "content-encoding": "br"}, b"x", 415, "gzip"),
        ({**PROTOBUF, "content-encoding": "gzip"}, b"x", 400, "gzip"),
        ({**PROTOBUF, "content-encoding": "gzip"}, gzip.compress(b"x" * 10**6)[:-9], 400, "whole"),
        ({**PROTOBUF, "content-encoding": "gzip"}, gzip.compress(b"\0" * 10**8), 413, "larger"),
        (PROTOBUF, b"\x0a" * 3_000_000, 413, "larger"),
        (PROTOBUF, b"\x0a\xff", 400, "protobuf"),
        (PROTOBUF, b"\x0a\x05ab", 400, "incomplete"),
        (PROTOBUF, b"\x0b", 400, "protobuf"),
        (PROTOBUF, b"\x0a\x00" * 40_000, 400, "25,000"),
        (PROTOBUF, b"\x0a\x04\x12\x02\x12\x02", 400, "incomplete"),
        (PROTOBUF, b"\x0a\x06\x12\x04\x12\x02\x0a\x09", 400, "message"),
        ({"content-type": "application/json"}, b"{", 400, "JSON"),
        ({"content-type": "application/json"}, b"[]", 400, "object"),
        ({"content-type": "application/json"}, b'{"resourceSpans": [1]}', 400, "resourceSpans"),
        ({"content-type": "application/json"}, b"[" * 100_000, 400, "JSON"),
        (
            {"content-type": "application/json"},
            b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":7}]}]}]}',
            400,
            "OTLP",
        ),
    ],
)
async def test_malformed_requests_are_refused(
    exporter: httpx2.AsyncClient, headers: Any, body: bytes, status: int, said: str
) -> None:
    answer = await exporter.post(TRACES, content=body, headers=headers)
    assert answer.status_code == status, answer.content
    if headers.get("content-type") == "application/x-protobuf":
        message = Status.FromString(answer.content).message
    else:
        message = answer.json()["message"]
    assert said in message
    assert len(message) <= 300


async def test_a_compressed_body_is_accepted(
    database: Database, exporter: httpx2.AsyncClient
) -> None:
    content = gzip.compress(logs({}).SerializeToString())
    headers = PROTOBUF | {"content-encoding": "gzip"}
    assert (await exporter.post(LOGS, content=content, headers=headers)).status_code == 200
    assert len(await rows(database, Event)) == 1


async def test_a_client_without_points_is_told_when_to_retry(
    database: Database, owner: Any
) -> None:
    settings = production(budget_points_per_minute=100)
    app = gateway(settings, Database(database.url))
    key = await make_key(database, settings, scopes=SCOPES, user_id=owner.id)
    transport, headers = httpx2.ASGITransport(app), {"authorization": f"Bearer {key.text}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://api.example", headers=headers
        ) as client,
    ):
        statuses = []
        for _ in range(4):
            answer = await send(client, METRICS, gauges(*[{}] * 100))
            statuses.append(answer.status_code)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert Status.FromString(answer.content).code == 8


async def test_requests_are_recorded(database: Database, owner: Any) -> None:
    settings = production(request_log="on")
    key = await make_key(database, settings, scopes=SCOPES, user_id=owner.id)
    app = gateway(settings, Database(database.url))
    transport, headers = httpx2.ASGITransport(app), {"authorization": f"Bearer {key.text}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://api.example", headers=headers
        ) as client,
    ):
        await send(client, LOGS, logs({}))

    async with database.unrestricted().read() as session:
        found = await session.records(Event, select(Event).where(Event.source == API_SERVER))
    shown = [(each.event_type, each.payload["operation"], each.user_id) for each in found]
    assert shown == [("api_request", "OtlpEvents", owner.id)]


async def test_ids_of_json_are_hexadecimal(
    database: Database, exporter: httpx2.AsyncClient
) -> None:
    def span(**ids: str) -> dict[str, Any]:
        at = {"startTimeUnixNano": str(now()), "kind": "SPAN_KIND_CLIENT"}
        return (
            {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174"} | at | ids
        )

    encoded = base64.b64encode(b"s" * 8).decode()
    spans = [
        span(),
        span(spanId=encoded),
        span(parentSpanId="eee19b7ec3c1b173", spanId="0" * 15 + "1"),
    ]
    body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    answer = await exporter.post(
        TRACES, content=json.dumps(body), headers={"content-type": "application/json"}
    )
    assert answer.json() == {
        "partialSuccess": {"rejectedSpans": "1", "errorMessage": "1 of: spanId: not hexadecimal"}
    }
    first, second = await rows(database, Event)
    assert first.payload["trace_id"] == "5b8efff798038103d269b633813fc60c"
    assert second.payload["parent_span_id"] == "eee19b7ec3c1b173"
    assert first.payload["kind"] == "CLIENT"
