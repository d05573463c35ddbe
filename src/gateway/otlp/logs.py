"""Logs: each record is an event. docs/otlp.md has the mapping."""

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from db.core.values.json import JsonObject
from gateway.otlp.parts import Item
from gateway.otlp.rows import EVENTS, Row
from gateway.otlp.values import attributes, digest, origin, text, time, value_of

SEVERITIES = (  # from this number on
    (21, "CRITICAL"),
    (17, "ERROR"),
    (13, "WARNING"),
    (9, "INFO"),
    (1, "DEBUG"),
)
EVENT_NAME = "event.name"


def rows(item: Item) -> list[Row]:
    """Raises Refused, Malformed."""
    record, source = item.part.read(LogRecord), origin(item)
    found = attributes(record.attributes)
    payload = {
        "body": value_of(record.body),
        "severity_text": text(record.severity_text),
        "trace_id": text(record.trace_id.hex()),
        "span_id": text(record.span_id.hex()),
        "attributes": found if found else None,
    }
    event: JsonObject = {
        "eventType": record.event_name or text(found.get(EVENT_NAME)) or "log",
        "source": source.service,
        **_severity(record.severity_number),
        "payload": {name: value for name, value in payload.items() if value is not None},
        "metadata": source.metadata,
        "timestamp": time(record.time_unix_nano or record.observed_time_unix_nano),
    }
    return [Row(EVENTS, event | {"idempotencyKey": digest(record.time_unix_nano, event)})]


def _severity(number: int) -> JsonObject:
    """Nothing for a record without a severity: its type decides."""
    return next(({"severity": name} for least, name in SEVERITIES if number >= least), {})
