"""Traces: the trace of a client continues in log lines and in spans, which a collector receives."""

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from pydantic import ValidationError
from structlog.testing import capture_logs

from db import Database
from db.users import Role
from gateway.trace_context import TraceContext, trace_context
from support.factories import make_dream, make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.trace_receiver import TraceReceiver, attributes_of, trace_receiver
from support.websocket_client import dialled

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
DREAMS = "query Dreams { dreams(first: 3) { nodes { title } } }"
CREATE = """mutation Create($title: String!) {
  createDream(input: {title: $title}) { dream { title } errors { code } } }"""


@pytest.fixture
async def collector() -> AsyncIterator[TraceReceiver]:
    async with trace_receiver() as receiver:
        yield receiver


@pytest.fixture
async def key(database: Database) -> str:
    user = await make_user(database, role=Role.OPERATOR)
    return (await make_key(database, production(), user_id=user.id)).text


@pytest.fixture
async def traced(
    database: Database, collector: TraceReceiver, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Served]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    settings = production(drain_seconds=0, spread_seconds=0, otlp_endpoint=collector.url)
    async with serving(settings, Database(database.url)) as served:
        yield served


async def ask(
    served: Served, key: str | None, query: str = DREAMS, headers: Any = (), **variables: Any
) -> httpx2.Response:
    credential = {"authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(base_url=served.address, timeout=30) as client:
        body = {"query": query, "variables": variables}
        return await client.post("/graphql", json=body, headers={**credential, **dict(headers)})


def children(spans: list[Span], parent: Span) -> list[Span]:
    return [span for span in spans if span.parent_span_id == parent.span_id]


async def test_a_trace_has_spans_of_request_operation_and_statements(
    traced: Served, collector: TraceReceiver, key: str, database: Database
) -> None:
    """Also on the short path, which requests take when they are known."""
    await make_dream(database, title="Private title")
    for number in range(3):
        trace_id = f"{number + 1:032x}"
        sent = {"traceparent": f"00-{trace_id}-{PARENT}-01"}
        assert (await ask(traced, key, headers=sent)).status_code == 200

        spans = await collector.trace(trace_id, 3)
        [request] = [span for span in spans if span.parent_span_id.hex() == PARENT]
        assert (request.name, request.kind) == ("POST /graphql", Span.SPAN_KIND_SERVER)
        assert attributes_of(request) == {
            "http.route": "/graphql",
            "http.request.method": "POST",
            "http.response.status_code": 200,
        }
        [operation] = children(spans, request)
        assert operation.name == "query"
        assert attributes_of(operation)["graphql.operation.name"] == "Dreams"
        [statement] = children(spans, operation)
        assert (statement.name, statement.kind) == ("SELECT", Span.SPAN_KIND_CLIENT)
        assert attributes_of(statement)["db.response.returned_rows"] == 1
        assert attributes_of(statement)["db.system.name"] == "postgresql"
        ends = [statement, operation, request]
        assert ends == sorted(ends, key=lambda span: span.end_time_unix_nano)
        assert [request, operation, statement] == sorted(
            ends, key=lambda span: span.start_time_unix_nano
        )
    assert collector.resource["service.name"] == "dreamnet-gateway"


async def test_the_statement_of_a_direct_write_has_a_span(
    traced: Served, collector: TraceReceiver, key: str
) -> None:
    """No span holds a value."""
    response = await ask(traced, key, CREATE, {"traceparent": SAMPLED}, title="A private title")
    assert response.json()["data"]["createDream"]["dream"] == {"title": "A private title"}

    spans = await collector.trace(TRACE, 3)
    names = [span.name for span in spans]
    assert names[:2] == ["POST /graphql", "mutation"]
    assert "WITH" in names
    assert "private" not in str(spans)


async def test_a_client_that_does_not_sample_has_no_spans(
    traced: Served, collector: TraceReceiver, key: str
) -> None:
    await ask(traced, key, headers={"traceparent": UNSAMPLED})
    other = f"{7:032x}"
    await ask(traced, key, headers={"traceparent": f"00-{other}-{PARENT}-01"})
    await collector.trace(other, 3)
    assert not [span for span in collector.spans if span.trace_id.hex() == TRACE]


async def test_a_failed_request_is_an_error(traced: Served, collector: TraceReceiver) -> None:
    """A refused one is none, and has no operation."""
    await ask(traced, "wrong", headers={"traceparent": SAMPLED})
    [request] = await collector.trace(TRACE, 1)
    assert attributes_of(request)["http.response.status_code"] == 401
    assert request.status.code == Status.STATUS_CODE_UNSET


async def test_operations_over_a_websocket_have_spans(
    traced: Served, collector: TraceReceiver, key: str
) -> None:
    headers = {"traceparent": SAMPLED}
    async with dialled(traced.address, additional_headers=headers) as client:
        await client.greet(authorization=f"Bearer {key}")
        for number in range(2):
            await client.answer(str(number), DREAMS)
    spans = await collector.trace(TRACE, 6)
    operations = [span for span in spans if span.parent_span_id.hex() == PARENT]
    assert [span.name for span in operations] == ["WEBSOCKET /graphql"] * 2
    for operation in operations:
        assert [span.name for span in children(spans, operation)] == ["query"]


async def test_exports_to_the_gateway_itself_have_no_spans(
    traced: Served, collector: TraceReceiver, key: str
) -> None:
    async with httpx2.AsyncClient(base_url=traced.address, timeout=30) as client:
        headers = {"traceparent": SAMPLED, "content-type": "application/x-protobuf"}
        await client.post("/v1/traces", headers=headers)
    other = f"{8:032x}"
    await ask(traced, key, headers={"traceparent": f"00-{other}-{PARENT}-01"})
    await collector.trace(other, 3)
    assert not [span for span in collector.spans if span.trace_id.hex() == TRACE]


async def test_log_lines_have_the_trace_without_opentelemetry(
    served: Served,
) -> None:
    """Twice: on the ordinary path, and on the short one."""
    with capture_logs() as lines:
        for _ in range(2):
            await ask(served, None, headers={"traceparent": SAMPLED})
        await ask(served, None)
    requests = [line for line in lines if line["event"] == "request"]
    assert [line.get("trace_id") for line in requests] == [TRACE, TRACE, None]


async def test_log_lines_have_the_trace_that_the_gateway_began(
    traced: Served, collector: TraceReceiver, key: str
) -> None:
    with capture_logs() as lines:
        await ask(traced, key)
    [trace_id] = [line["trace_id"] for line in lines if line["event"] == "request"]
    [request, *_] = await collector.trace(trace_id, 3)
    assert not request.parent_span_id


async def test_a_collector_that_is_away_fails_no_request(
    database: Database, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = production(drain_seconds=0, spread_seconds=0, otlp_endpoint="http://127.0.0.1:1")
    async with serving(settings, Database(database.url)) as served:
        assert (await ask(served, key)).status_code == 200


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("collector:4318", "must start with http:// or https://"),
        ("http://user:hunter2@collector:4318", "set OTEL_EXPORTER_OTLP_HEADERS"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str, reason: str) -> None:
    with pytest.raises(ValidationError, match=reason) as refused:
        production(otlp_endpoint=endpoint)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("traceparent", "expected"),
    [
        (SAMPLED, TraceContext(TRACE, PARENT, True)),
        (UNSAMPLED, TraceContext(TRACE, PARENT, False)),
        (f"cc-{TRACE}-{PARENT}-03-later", TraceContext(TRACE, PARENT, True)),
        (f"00-{TRACE}-{PARENT}-01-later", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (SAMPLED.upper(), None),
        (SAMPLED[:-1], None),
        (f"cc-{TRACE}-{PARENT}-01-{'x' * 1_000}", None),
        ("", None),
    ],
)
def test_trace_parents_are_read_as_w3c_says(
    traceparent: str, expected: TraceContext | None
) -> None:
    assert trace_context(traceparent) == expected
