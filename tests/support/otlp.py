"""OTLP: requests of exporters, and what is stored of them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from sqlalchemy import select

from db import Database
from db.events import API_SERVER
from gateway.settings import Settings
from support.gateways import gateway, make_key

PROTOBUF = {"content-type": "application/x-protobuf"}
TRACES, METRICS, LOGS = "/v1/traces", "/v1/metrics", "/v1/logs"
SCOPES = ["events:write", "metrics:write", "tests:write"]


@asynccontextmanager
async def exporting(
    database: Database, settings: Settings, owner: Any, scopes: list[str] = SCOPES
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway of its own, with a key of the owner."""
    key = await make_key(database, settings, scopes=scopes, user_id=owner.id)
    app = gateway(settings, Database(database.url))
    transport, headers = httpx2.ASGITransport(app), {"authorization": f"Bearer {key.text}"}
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(
            transport=transport, base_url="http://api.example", headers=headers
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
