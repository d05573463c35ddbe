"""The SDK and the exporters of OpenTelemetry, configured by environment variables, against a
gateway in production: traces, metrics and logs arrive once."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode

from db import Database
from db.ai_tests import AiTest
from db.events import Event
from db.metrics import Metric
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import make_key, production
from support.mutations import stored
from support.running_gateway import serving

SCOPES = ["events:write", "metrics:write", "tests:write"]


@pytest.fixture
async def owner(database: Database) -> Any:
    return await make_user(database, role="OPERATOR")


async def export(
    database: Database, monkeypatch: pytest.MonkeyPatch, owner: Any, work: Callable[[], None]
) -> None:
    """Run an instrumented program with the four variables of docs/otlp.md."""
    settings = production(request_log="off")
    key = await make_key(database, settings, scopes=SCOPES, user_id=owner.id)
    async with serving(settings, Database(database.url)) as served:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", served.address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"Authorization=Bearer%20{key.text}")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "solver")
        await asyncio.to_thread(work)


async def test_spans_of_the_sdk(
    database: Database, monkeypatch: pytest.MonkeyPatch, owner: Any
) -> None:
    dream = global_id(await make_dream(database, user_id=owner.id))

    def work() -> None:
        provider = TracerProvider()
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        tracer = provider.get_tracer("agent", "1.0")
        with (
            tracer.start_as_current_span("invoke_agent solver") as agent,
            tracer.start_as_current_span("chat gpt-5", kind=SpanKind.CLIENT) as chat,
        ):
            agent.set_attribute("gen_ai.operation.name", "invoke_agent")
            chat.set_attributes(
                {
                    "gen_ai.operation.name": "chat",
                    "gen_ai.provider.name": "openai",
                    "gen_ai.request.model": "gpt-5",
                    "gen_ai.usage.input_tokens": 12,
                    "gen_ai.usage.output_tokens": 30,
                    "dreamnet.dream.id": dream,
                    "dreamnet.test.impossibility_score": 40.0,
                }
            )
            agent.set_status(Status(StatusCode.ERROR, "It gave up."))
        assert provider.force_flush()
        provider.shutdown()

    await export(database, monkeypatch, owner, work)

    [test] = await stored(database, AiTest)
    assert (test.provider, test.model, test.tokens_used) == ("openai", "gpt-5", 42)
    [event] = await stored(database, Event)
    assert (event.event_type, event.source, event.severity) == (
        *("gen_ai.invoke_agent", "solver", "ERROR"),
    )
    assert event.payload["status_message"] == "It gave up."
    assert event.payload["trace_id"] == test.test_parameters["trace_id"]


async def test_metrics_of_the_sdk(
    database: Database, monkeypatch: pytest.MonkeyPatch, owner: Any
) -> None:
    def work() -> None:
        exporter = OTLPMetricExporter(compression=Compression.Gzip)
        provider = MeterProvider([PeriodicExportingMetricReader(exporter)])
        meter = provider.get_meter("agent")
        meter.create_counter("steps").add(3, {"kind": "tool"})
        meter.create_gauge("queue", unit="1").set(2.5)
        meter.create_histogram("gen_ai.client.token.usage", unit="{token}").record(42)
        assert provider.force_flush()
        provider.shutdown()

    await export(database, monkeypatch, owner, work)

    found = await stored(database, Metric)
    assert {(row.metric_name, float(row.value)) for row in found} == {
        ("steps", 3),
        ("queue", 2.5),
        ("gen_ai.client.token.usage.count", 1),
        ("gen_ai.client.token.usage.sum", 42),
        ("gen_ai.client.token.usage.min", 42),
        ("gen_ai.client.token.usage.max", 42),
    }
    assert {row.tags["service.name"] for row in found} == {"solver"}


async def test_logs_of_the_sdk(
    database: Database, monkeypatch: pytest.MonkeyPatch, owner: Any
) -> None:
    def work() -> None:
        from opentelemetry._logs import LogRecord, SeverityNumber

        provider = LoggerProvider()
        provider.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        logger = provider.get_logger("agent")
        for number in range(3):
            logger.emit(
                LogRecord(
                    severity_number=SeverityNumber.ERROR,
                    body=f"Attempt {number} failed.",
                    attributes={"attempt": number},
                )
            )
        assert provider.force_flush()
        provider.shutdown()

    await export(database, monkeypatch, owner, work)

    found = await stored(database, Event)
    assert [(row.event_type, row.severity) for row in found] == [("log", "ERROR")] * 3
    assert {row.payload["body"] for row in found} == {
        f"Attempt {number} failed." for number in range(3)
    }
