"""Signals: traces, metrics and logs, each with its messages and its mapping."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from gateway.otlp import logs, points, spans
from gateway.otlp.parts import Item, Level
from gateway.otlp.rows import Row

Response = ExportTraceServiceResponse | ExportMetricsServiceResponse | ExportLogsServiceResponse


@dataclass(frozen=True, slots=True)
class Signal:
    """The levels of nested messages down to the items, the mapping of an item to rows, and the
    response, with the name of its count of rejected items. `repeats`: equal items of a request are
    items of their own."""

    levels: Sequence[Level]
    rows: Callable[[Item], list[Row]]
    response: Callable[[], Response]
    rejected: str
    repeats: bool = False

    def answer(self, rejected: int, message: str) -> Message:
        response = self.response()
        if rejected:
            setattr(response.partial_success, self.rejected, rejected)
            response.partial_success.error_message = message
        return response


METRIC_KINDS = {
    5: "gauge",
    7: "sum",
    9: "histogram",
    10: "exponentialHistogram",
    11: "summary",
}

SIGNALS = {
    "/v1/traces": Signal(
        ({1: "resourceSpans"}, {2: "scopeSpans"}, {2: "spans"}),
        spans.rows,
        ExportTraceServiceResponse,
        "rejected_spans",
    ),
    "/v1/metrics": Signal(
        (
            *({1: "resourceMetrics"}, {2: "scopeMetrics"}, {2: "metrics"}),
            METRIC_KINDS,
            {1: "dataPoints"},
        ),
        points.rows,
        ExportMetricsServiceResponse,
        "rejected_data_points",
    ),
    "/v1/logs": Signal(
        ({1: "resourceLogs"}, {2: "scopeLogs"}, {2: "logRecords"}),
        logs.rows,
        ExportLogsServiceResponse,
        "rejected_log_records",
        repeats=True,
    ),
}
