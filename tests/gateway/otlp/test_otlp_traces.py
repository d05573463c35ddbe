"""Traces over OTLP: spans that name a dream are tests, others are events."""

import base64
import json
import math
from typing import Any

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from db import Database
from db.ai_tests import AiTest
from db.events import Event
from graph.core.types.node import global_id
from support.factories import make_dream
from support.otlp import (
    TRACES,
    attributes,
    now,
    pair,
    rows,
    send,
    traces,
)


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
