"""Spans: those that name a dream are AI tests, all others are events. docs/otlp.md has the
mapping."""

from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from db.core.values.json import JsonObject
from gateway.otlp.faults import MAX_VALUES, Refused, too_many_values
from gateway.otlp.parts import Item
from gateway.otlp.rows import EVENTS, TESTS, Row
from gateway.otlp.values import (
    Origin,
    attributes,
    id_of,
    number,
    origin,
    text,
    time,
    whole,
)
from graph.core.types.scalars import LARGEST

DREAM = "dreamnet.dream.id"
SCORE = "dreamnet.test.impossibility_score"
CONFIDENCE = "dreamnet.test.confidence"
REASONING = "dreamnet.test.reasoning"
COST = "dreamnet.test.cost"
OPERATION = "gen_ai.operation.name"
PROVIDERS = ("gen_ai.provider.name", "gen_ai.system")
MODELS = ("gen_ai.response.model", "gen_ai.request.model")
TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens")
ERROR = "error.type"
OWN = {DREAM, SCORE, CONFIDENCE, REASONING, COST}
KINDS = {number: name.removeprefix("SPAN_KIND_") for name, number in Span.SpanKind.items()}
TRACE_ID, SPAN_ID = 16, 8  # bytes
NANOSECONDS = 1_000_000  # of a millisecond


def rows(item: Item) -> list[Row]:
    """Raises Refused, Malformed."""
    span = item.part.read(Span)
    found = attributes(span.attributes)
    identity: JsonObject = {
        "trace_id": id_of(span.trace_id, TRACE_ID, "traceId"),
        "span_id": id_of(span.span_id, SPAN_ID, "spanId"),
    }
    if found.get(DREAM) is not None:
        return [Row(TESTS, _test(span, found, identity))]
    return [Row(EVENTS, _event(span, found, identity, origin(item)))]


def _test(span: Span, found: JsonObject, identity: JsonObject) -> JsonObject:
    dream, reasoning = text(found[DREAM]), text(found.get(REASONING))
    if dream is None:
        raise Refused(f"{DREAM}: not the ID of a dream")
    failed = _failed(span, found)
    kept = {name: value for name, value in found.items() if name not in OWN}
    test = {
        "dreamId": dream,
        "provider": _required(found, PROVIDERS).lower(),
        "model": _required(found, MODELS),
        "status": "FAILED" if failed else "COMPLETED",
        "at": time(span.start_time_unix_nano),
        "impossibilityScore": number(found, SCORE),
        "confidence": number(found, CONFIDENCE),
        "reasoning": text(span.status.message) if failed and reasoning is None else reasoning,
        "durationMs": _duration(span),
        "tokensUsed": _tokens(found),
        "cost": _cost(found),
        "parameters": {**identity, "span": span.name, "attributes": kept},
        "idempotencyKey": _key(identity),
    }
    return {name: value for name, value in test.items() if value is not None}


def _event(span: Span, found: JsonObject, identity: JsonObject, origin: Origin) -> JsonObject:
    payload = {
        "name": span.name,
        **identity,
        "parent_span_id": text(span.parent_span_id.hex()),
        "kind": KINDS.get(span.kind) if span.kind else None,
        "duration_ms": _duration(span),
        "status_message": text(span.status.message),
        "attributes": found,
        "events": _events(span),
    }
    operation = text(found.get(OPERATION))
    return {
        "eventType": f"gen_ai.{operation}" if operation else "span",
        "source": origin.service,
        **({"severity": "ERROR"} if _failed(span, found) else {}),
        "payload": {name: value for name, value in payload.items() if value not in (None, [])},
        "metadata": origin.metadata,
        "timestamp": time(span.start_time_unix_nano),
        "idempotencyKey": _key(identity),
    }


def _events(span: Span) -> list[JsonObject]:
    if len(span.events) > MAX_VALUES:
        raise too_many_values()
    return [
        {"name": event.name, "time": time(event.time_unix_nano), **_attributes(event)}
        for event in span.events
    ]


def _attributes(event: Span.Event) -> JsonObject:
    return {"attributes": attributes(event.attributes)} if event.attributes else {}


def _key(identity: JsonObject) -> str:
    return f"{identity['trace_id']}/{identity['span_id']}"


def _failed(span: Span, found: JsonObject) -> bool:
    return span.status.code == Status.STATUS_CODE_ERROR or found.get(ERROR) is not None


def _duration(span: Span) -> int | None:
    passed = span.end_time_unix_nano - span.start_time_unix_nano
    return passed // NANOSECONDS if passed >= 0 and span.end_time_unix_nano else None


def _required(found: JsonObject, names: tuple[str, ...]) -> str:
    """The first of these attributes that is set. Raises Refused."""
    for name in names:
        if value := text(found.get(name)):
            return value
    raise Refused(f"{names[0]}: missing")


def _tokens(found: JsonObject) -> int | None:
    counts = [count for name in TOKENS if (count := whole(found, name)) is not None]
    if sum(counts) > LARGEST:
        raise Refused(f"{TOKENS[0]}: too large")
    return sum(counts) if counts else None


def _cost(found: JsonObject) -> str | None:
    cost = number(found, COST)
    return None if cost is None else str(cost)
