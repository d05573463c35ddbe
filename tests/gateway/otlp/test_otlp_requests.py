"""Requests of OTLP over HTTP: rights, limits, encodings, and errors in the client's format."""

import gzip
from typing import Any

import httpx2
from google.rpc.status_pb2 import Status
from sqlalchemy import select

from db import Database
from db.events import API_SERVER, Event
from support.gateways import production
from support.otlp import LOGS, METRICS, PROTOBUF, TRACES, exporting, gauges, logs, rows, send

# Headers, body, status, and a part of the message.
MALFORMED: list[tuple[dict[str, str], bytes, int, str]] = [
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
]


async def test_a_key_stores_what_it_may(database: Database, owner: Any) -> None:
    async with exporting(database, production(), owner, ["metrics:write"]) as client:
        stored = await send(client, METRICS, gauges({}))
        forbidden = await send(client, LOGS, logs({}, {}))
        client.headers["authorization"] += "x"
        invalid = await send(client, METRICS, gauges({}))
        del client.headers["authorization"]
        anonymous = await send(client, METRICS, gauges({}))
    assert [each.status_code for each in (anonymous, stored, forbidden, invalid)] == [
        *(401, 200, 403, 401)
    ]
    assert "events:write" in Status.FromString(forbidden.content).message
    assert Status.FromString(anonymous.content).code == 16
    assert anonymous.headers["www-authenticate"].startswith("Bearer")


async def test_malformed_requests_are_refused(exporter: httpx2.AsyncClient) -> None:
    for headers, body, status, said in MALFORMED:
        answer = await exporter.post(TRACES, content=body, headers=headers)
        if headers.get("content-type") == "application/x-protobuf":
            message = Status.FromString(answer.content).message
        else:
            message = answer.json()["message"]
        assert answer.status_code == status, (headers, body[:20], message)
        assert said in message, (headers, body[:20])
        assert len(message) <= 300, (headers, body[:20])


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
    async with exporting(database, settings, owner) as client:
        statuses = []
        for _ in range(4):
            answer = await send(client, METRICS, gauges(*[{}] * 100))
            statuses.append(answer.status_code)
    assert statuses[0] == 200
    assert statuses[-1] == 429
    assert int(answer.headers["retry-after"]) >= 1
    assert Status.FromString(answer.content).code == 8


async def test_requests_are_recorded(database: Database, owner: Any) -> None:
    async with exporting(database, production(request_log="on"), owner) as client:
        await send(client, LOGS, logs({}))

    async with database.unrestricted().read() as session:
        found = await session.records(Event, select(Event).where(Event.source == API_SERVER))
    shown = [(each.event_type, each.payload["operation"], each.user_id) for each in found]
    assert shown == [("api_request", "OtlpEvents", owner.id)]
