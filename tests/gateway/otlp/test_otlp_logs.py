"""Logs over OTLP: records are events."""

from typing import Any

import httpx2
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from db import Database
from db.events import Event
from support.otlp import LOGS, logs, now, rows, send


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
        answer = await exporter.post(LOGS, **as_json(at))
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


def as_json(at: int) -> dict[str, Any]:
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
