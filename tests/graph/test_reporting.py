"""Reporting events, metrics and actions: what is stored, who may, what a batch refuses."""

from typing import Any

import pytest

from db.core.ids import uuid7
from db.core.ingest import writer
from db.users import Role
from graph.core.principal import ANONYMOUS, Principal
from support.ingestion import NOW, ONE, Send, at
from support.mutations import Run, mutation
from support.principals import with_scopes

EVENT = {"eventType": "deployed", "source": "ci"}
EVENTS = "{ events { nodes { id eventType source severity payload metadata timestamp } } }"


async def test_an_event_is_stored_as_sent(done: Any, data: Any) -> None:
    sent = EVENT | {"severity": "WARNING", "payload": {"v": [1, None]}, "metadata": {"host": "a"}}
    stored = await done("logEvent", sent | {"timestamp": at()})
    event = (await data(EVENTS))["events"]["nodes"]
    assert event == [sent | {"id": stored["storedId"], "timestamp": at()}]


async def test_an_event_needs_little(done: Any, data: Any) -> None:
    await done("logEvent", EVENT)
    (event,) = (await data(EVENTS))["events"]["nodes"]
    assert (event["severity"], event["payload"], event["metadata"]) == ("INFO", {}, {})


async def test_an_error_of_a_program(done: Any, data: Any) -> None:
    await done("logError", {"message": "boom", "stack": "line 1", "context": {"a": 1}})
    (event,) = (await data(EVENTS))["events"]["nodes"]
    assert (event["eventType"], event["source"]) == ("system_error", "system")
    assert event["severity"] == "ERROR"
    assert event["payload"] == {"message": "boom", "stack": "line 1", "context": {"a": 1}}


async def test_a_batch_keeps_its_order_without_times(done: Any, data: Any) -> None:
    batch = await done("logEvents", {"events": [EVENT | {"eventType": f"e{n}"} for n in range(9)]})
    assert batch["storedCount"] == 9
    nodes = (await data("{ events { nodes { id } } }"))["events"]["nodes"]
    assert batch["storedIds"] == [node["id"] for node in reversed(nodes)]


async def test_poison_refuses_itself_alone(done: Any, data: Any) -> None:
    poison = {
        1: ({"severity": "BAD"}, "severity"),
        3: ({"payload": {"a": "\0"}}, "payload"),
        4: ({"payload": "x" * 1_000_000}, None),
        6: ({"timestamp": "2001-01-01T00:00:00Z"}, "timestamp"),
        7: ({"eventType": ""}, "eventType"),
        8: ({"userId": "nobody"}, "userId"),
        9: ({"idempotencyKey": "k"}, "timestamp"),
    }
    events = [EVENT | poison.get(n, ({}, None))[0] for n in range(12)]
    batch = await done("logEvents", {"events": events})
    assert batch["storedCount"] == 5
    paths = {n: ["events", f"{n}", *([field] if field else [])] for n, (_, field) in poison.items()}
    assert batch["refused"] == [
        {"index": n, "errors": [{"code": "INVALID", "field": path}]} for n, path in paths.items()
    ]
    assert len((await data("{ events { nodes { id } } }"))["events"]["nodes"]) == 5


@pytest.mark.parametrize("value", [1e9, -1e12])
async def test_metrics_out_of_range(done: Any, data: Any, value: float) -> None:
    bad, good = {"metricName": "m", "value": value}, {"metricName": "m", "value": 1.5}
    assert (await done("recordMetric", bad))["field"] == "value"
    assert (await done("recordMetrics", {"metrics": [bad, good]}))["storedCount"] == 1
    assert (await data("{ metrics { nodes { value } } }"))["metrics"]["nodes"] == [{"value": 1.5}]


async def test_a_metric_is_stored_as_sent(done: Any, data: Any) -> None:
    sent = {"metricName": "cpu", "value": 12.123456, "unit": "percent", "tags": {"host": "a"}}
    stored = await done("recordMetric", sent | {"timestamp": at()})
    query = "{ metrics { nodes { id metricName value unit tags timestamp } } }"
    nodes = (await data(query))["metrics"]["nodes"]
    assert nodes == [sent | {"id": stored["storedId"], "timestamp": at()}]


async def test_the_same_key_and_time_are_stored_once(done: Any, data: Any) -> None:
    event = EVENT | {"timestamp": at(), "idempotencyKey": "k"}
    first, second = await done("logEvent", event), await done("logEvent", event)
    assert first == second
    batch = {"events": [event, EVENT | {"timestamp": at()}], "idempotencyKey": "b"}
    results = [(await done("logEvents", batch))["storedIds"] for _ in range(2)]
    assert results[0] == results[1]
    assert results[0][0] == first["storedId"]
    assert len((await data(EVENTS))["events"]["nodes"]) == 2


async def test_keys_of_two_callers_are_two_keys(done: Any, data: Any) -> None:
    for _ in range(2):
        caller = Principal(uuid7(NOW), Role.OPERATOR, scopes=frozenset({"events:write"}))
        await done("logEvent", EVENT | {"timestamp": at(), "idempotencyKey": "k"}, caller)
    assert len((await data(EVENTS))["events"]["nodes"]) == 2


async def test_an_action_is_an_event_too(done: Any, data: Any) -> None:
    sent = {"action": "clicked", "page": "/dreams", "sessionId": "s", "metadata": {"x": 1}}
    await done("trackUserAction", sent)
    answer = await data(
        "{ userActions { nodes { action page sessionId metadata } } "
        "events { nodes { eventType source payload } } }"
    )
    assert answer["userActions"]["nodes"] == [sent]
    facts = {"user_id": None, "action": "clicked", "page": "/dreams", "metadata": {"x": 1}}
    assert answer["events"]["nodes"] == [
        {"eventType": "user_action", "source": "user-activity", "payload": facts}
    ]


async def test_members_track_their_own_actions_only(done: Any) -> None:
    member = Principal(user_id=uuid7(NOW), role=Role.MEMBER)
    own, other = {"action": "clicked"}, {"action": "clicked", "userId": f"user_{uuid7(NOW).hex}"}
    assert (await done("trackUserAction", own, member))["storedId"]
    assert (await done("trackUserAction", other, member))["code"] == "FORBIDDEN"
    batch = await done("trackUserActions", {"actions": [own, other]}, member)
    error = {"code": "FORBIDDEN", "field": ["actions", "1"]}
    assert batch["refused"] == [{"index": 1, "errors": [error]}]
    scoped = with_scopes("events:write")
    assert (await done("trackUserAction", other, scoped))["storedId"]


INPUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "logEvent": ("events:write", EVENT),
    "logEvents": ("events:write", {"events": [EVENT]}),
    "logError": ("events:write", {"message": "boom"}),
    "recordMetric": ("metrics:write", {"metricName": "m", "value": 1}),
    "recordMetrics": ("metrics:write", {"metrics": []}),
    "reportAgentStatus": ("agents:write", {"agentKey": "a", "status": "IDLE"}),
    "reportAgentStatuses": ("agents:write", {"reports": []}),
    "reportAgentError": ("agents:write", {"agentKey": "a", "message": "lost"}),
    "trackUserActions": ("events:write", {"actions": []}),
}


@pytest.mark.parametrize("name", INPUTS)
async def test_each_needs_its_scope(send: Send, name: str) -> None:
    scope, input = INPUTS[name]
    allowed = await send(name, input, Principal(role=Role.OPERATOR, scopes=frozenset({scope})))
    assert allowed.errors == []
    stranger = await send(name, input, ANONYMOUS)
    assert stranger.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
    member = await send(name, input, Principal(user_id=uuid7(NOW), role=Role.MEMBER))
    if name != "trackUserActions":
        assert member.errors[0]["extensions"]["code"] == "FORBIDDEN"


async def test_too_many_items_at_once(done: Any) -> None:
    answer = await done("logEvents", {"events": [EVENT] * 1001})
    assert (answer["code"], answer["field"]) == ("INVALID", "events")


async def test_a_full_batch_writer_returns_a_retry_time(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_ROWS", 1)
    answer = await send("logEvents", {"events": [EVENT] * 2})
    (error,) = answer.errors
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 50 <= error["extensions"]["retryAfterMs"] <= 5000
    assert answer.data is None


async def test_a_gateway_that_stops_takes_nothing(run: Run) -> None:
    answer = await run(mutation("logEvent", ONE), {"input": EVENT})
    assert answer.errors[0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"
