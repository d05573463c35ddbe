"""Spans: one for each request or operation over a WebSocket, with those of its execution and of its
statements.

All are made when the request is over, from what was measured meanwhile. A request that is not
sampled has none, and is executed as without tracing.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry.context import Context as SpanParent
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_span_id,
    format_trace_id,
    set_span_in_context,
)

from db.core.durations import operation_of
from db.core.session.recorder import Recorder, SentStatement
from gateway.request_record import OTLP_PATHS, RequestRecord
from gateway.trace_context import SAMPLED, TraceContext
from graph.core.context import Context

SERVICE = "dreamnet-gateway"
UNNAMED = "unknown_service"  # the SDK's name of a service without OTEL_SERVICE_NAME
MAX_QUERY = 2_000  # characters of the text of a statement
NANOSECONDS = 1_000_000_000
STOP_MS = 3_000  # for spans that are not sent yet when the gateway stops


class RecordedSpan:
    """The span of a request, and what is known of its execution."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.statements: Recorder | None = None
        self.began = self.ended = 0.0  # the execution, by the clock of the recorder

    @contextmanager
    def executing(self, context: Context) -> Iterator[None]:
        """Measure the execution within the context, and record its statements."""
        self.statements = context.traced()
        self.began = time.perf_counter()
        try:
            yield
        finally:
            self.ended = time.perf_counter()


class Tracing:
    """Sends spans to the collector at an endpoint. Other variables of OpenTelemetry, such as those
    of the sampler, are read by its SDK."""

    def __init__(self, endpoint: str) -> None:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
        self.processor = BatchSpanProcessor(exporter)
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        provider.add_span_processor(self.processor)
        self.tracer = provider.get_tracer(SERVICE, version(SERVICE))

    def begin(self, record: RequestRecord) -> None:
        """Start the span of a request. What OpenTelemetry sends to this gateway has none: if it is
        the collector, each export would cause another one."""
        if record.path in OTLP_PATHS or record.is_connection:
            return
        name, attributes = f"{record.method} {record.path}", {"http.route": record.path}
        span = self.tracer.start_span(
            name, _parent(record.trace), SpanKind.SERVER, attributes=attributes
        )
        made = span.get_span_context()
        record.trace = TraceContext(
            format_trace_id(made.trace_id), format_span_id(made.span_id), made.trace_flags.sampled
        )
        record.span = RecordedSpan(span) if span.is_recording() else None

    def finish(self, record: RequestRecord) -> None:
        if not isinstance(recorded := record.span, RecordedSpan):
            return
        span, record.span = recorded.span, None
        if record.status is not None:
            span.set_attribute("http.request.method", record.method)
            span.set_attribute("http.response.status_code", record.status)
        _set_error(span, record)
        if recorded.ended:
            self._operation(recorded, record)
        span.end()

    def close(self) -> None:
        """Send what waits. Blocks, at most for some seconds: the public method has no limit."""
        self.processor._batch_processor.shutdown(STOP_MS)

    def _operation(self, recorded: RecordedSpan, record: RequestRecord) -> None:
        operation, now = record.operation, (time.time_ns(), time.perf_counter())
        if operation is None:
            return
        attributes: dict[str, str] = {"graphql.operation.type": operation.kind}
        if operation.short_name is not None:
            attributes["graphql.operation.name"] = operation.short_name
        if record.fallback is not None:
            attributes["dreamnet.fallback"] = record.fallback
        span = self.tracer.start_span(
            operation.kind,
            set_span_in_context(recorded.span, SpanParent()),
            attributes=attributes,
            start_time=_wall(recorded.began, now),
        )
        _set_error(span, record)
        statements = recorded.statements.statements if recorded.statements else []
        for sent in statements:
            self._statement(span, sent, now)
        span.end(_wall(recorded.ended, now))

    def _statement(self, parent: Span, sent: SentStatement, now: tuple[int, float]) -> None:
        name = operation_of(sent.sql)
        span = self.tracer.start_span(
            name,
            set_span_in_context(parent, SpanParent()),
            SpanKind.CLIENT,
            {
                "db.system.name": "postgresql",
                "db.operation.name": name,
                "db.query.text": sent.sql[:MAX_QUERY],
            },
            start_time=_wall(sent.began, now),
        )
        if sent.rows is not None:
            span.set_attribute("db.response.returned_rows", sent.rows)
        if sent.failed:
            span.set_status(StatusCode.ERROR)
        span.end(_wall(sent.began + sent.seconds, now))


def _resource() -> Resource:
    found = Resource.create({SERVICE_VERSION: version(SERVICE)})
    is_named = not str(found.attributes[SERVICE_NAME]).startswith(UNNAMED)
    return found if is_named else found.merge(Resource({SERVICE_NAME: SERVICE}))


def _parent(trace: TraceContext | None) -> SpanParent:
    if trace is None:
        return SpanParent()
    sent = SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(SAMPLED if trace.is_sampled else 0),
    )
    return set_span_in_context(NonRecordingSpan(sent), SpanParent())


def _set_error(span: Span, record: RequestRecord) -> None:
    if record.error is not None:
        span.set_attribute("error.type", str(record.error))
        span.set_status(StatusCode.ERROR)


def _wall(at: float, now: tuple[int, float]) -> int:
    """A time of the performance counter as nanoseconds since 1970."""
    wall, counter = now
    return wall - round((counter - at) * NANOSECONDS)
