"""Reporting through GraphQL: what is answered, what is stored, who may, what a batch refuses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database
from db.core import ingest
from db.core.ids import uuid7
from db.core.ingest import Ingestion
from db.users import Role
from graph.core.context import Context
from graph.core.operation import Answer, execute, prepare
from graph.core.permission import ANONYMOUS, DEVELOPER, Principal
from graph.schema import schema

Send = Callable[..., Awaitable[Answer]]

NOW = datetime.now(UTC).replace(microsecond=0)
STORED = "... on Stored { id }"
INVALID = "... on Invalid { message code field }"
BATCH = "... on StoredItems { stored results { index id error { code field } } } " + INVALID
BATCHES = {"logEvents", "recordMetrics", "reportAgentStatuses", "trackUserActions"}
ONE = "mutation ($input: %sInput!) { done: %s(input: $input) { __typename %s } }"


@pytest.fixture
async def send(database: Database) -> AsyncIterator[Send]:
    """`await send("logEvent", input, who)`: the answer to a mutation."""
    ingestion = Ingestion(database)

    async def send(name: str, input: dict[str, Any], who: Principal = DEVELOPER) -> Answer:
        shown = BATCH if name in BATCHES else f"{STORED} {INVALID}"
        if name == "trackUserAction":
            shown += " ... on Forbidden { code }"
        text = ONE % (name[0].upper() + name[1:], name, shown)
        context = Context(database, who, "test-request", ingestion)
        return await execute(prepare(schema, text), {"input": input}, context)

    yield send
    await ingestion.close()


@pytest.fixture
def done(send: Send) -> Callable[..., Awaitable[Any]]:
    """`await done("logEvent", input)`: what a mutation without top-level errors came to."""

    async def done(name: str, input: dict[str, Any], who: Principal = DEVELOPER) -> Any:
        answer = await send(name, input, who)
        assert answer.errors == []
        assert answer.data
        return answer.data["done"]

    return done


def at(seconds: float = 0) -> str:
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


EVENT = {"eventType": "deployed", "source": "ci"}
EVENTS = "{ events { nodes { id eventType source severity payload metadata timestamp } } }"


async def test_an_event_is_stored_as_sent(done: Any, data: Any) -> None:
    sent = EVENT | {"severity": "WARNING", "payload": {"v": [1, None]}, "metadata": {"host": "a"}}
    stored = await done("logEvent", sent | {"timestamp": at()})
    event = (await data(EVENTS))["events"]["nodes"]
    assert event == [sent | {"id": stored["id"], "timestamp": at()}]


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
    assert batch["stored"] == 9
    nodes = (await data("{ events { nodes { id } } }"))["events"]["nodes"]
    assert [r["id"] for r in batch["results"]] == [node["id"] for node in reversed(nodes)]


async def test_poison_refuses_itself_alone(done: Any, data: Any) -> None:
    poison = {
        1: ({"severity": "BAD"}, "severity"),
        3: ({"payload": {"a": "\0"}}, None),
        4: ({"payload": "x" * 1_000_000}, None),
        6: ({"timestamp": "2001-01-01T00:00:00Z"}, "timestamp"),
        7: ({"eventType": ""}, "eventType"),
        8: ({"userId": "nobody"}, "id"),
        9: ({"idempotencyKey": "k"}, "timestamp"),
    }
    events = [EVENT | poison.get(n, ({}, None))[0] for n in range(12)]
    batch = await done("logEvents", {"events": events})
    assert batch["stored"] == 5
    refused = {r["index"]: r["error"] for r in batch["results"] if r["error"]}
    assert refused == {n: {"code": "INVALID", "field": field} for n, (_, field) in poison.items()}
    assert len((await data("{ events { nodes { id } } }"))["events"]["nodes"]) == 5


@pytest.mark.parametrize("value", [1e9, -1e12])
async def test_metrics_out_of_range(done: Any, data: Any, value: float) -> None:
    bad, good = {"metricName": "m", "value": value}, {"metricName": "m", "value": 1.5}
    assert (await done("recordMetric", bad))["field"] == "value"
    assert (await done("recordMetrics", {"metrics": [bad, good]}))["stored"] == 1
    assert (await data("{ metrics { nodes { value } } }"))["metrics"]["nodes"] == [{"value": 1.5}]


async def test_a_metric_is_stored_as_sent(done: Any, data: Any) -> None:
    sent = {"metricName": "cpu", "value": 12.123456, "unit": "percent", "tags": {"host": "a"}}
    stored = await done("recordMetric", sent | {"timestamp": at()})
    query = "{ metrics { nodes { id metricName value unit tags timestamp } } }"
    nodes = (await data(query))["metrics"]["nodes"]
    assert nodes == [sent | {"id": stored["id"], "timestamp": at()}]


async def test_the_same_key_and_time_are_stored_once(done: Any, data: Any) -> None:
    event = EVENT | {"timestamp": at(), "idempotencyKey": "k"}
    first, second = await done("logEvent", event), await done("logEvent", event)
    assert first == second
    batch = {"events": [event, EVENT | {"timestamp": at()}], "idempotencyKey": "b"}
    results = [(await done("logEvents", batch))["results"] for _ in range(2)]
    assert results[0] == results[1]
    assert results[0][0]["id"] == first["id"]
    assert len((await data(EVENTS))["events"]["nodes"]) == 2


async def test_keys_of_two_callers_are_two_keys(done: Any, data: Any) -> None:
    for _ in range(2):
        caller = Principal(user_id=uuid7(NOW), scopes=frozenset({"events:write"}))
        await done("logEvent", EVENT | {"timestamp": at(), "idempotencyKey": "k"}, caller)
    assert len((await data(EVENTS))["events"]["nodes"]) == 2


async def test_a_report_of_an_agent(done: Any, data: Any) -> None:
    report = {
        "agentKey": "scout",
        "status": "RUNNING",
        "currentTask": {"name": "look", "left": None},
        "performanceMetrics": {"speed": 2},
        "reportedAt": at(),
    }
    stored = await done("reportAgentStatus", report)
    query = """{ agent(key: "scout") {
      key status currentTask performanceMetrics lastActive errors { message }
      history { nodes { id previousStatus status error reportedAt } }
    } events { nodes { eventType source payload timestamp } } }"""
    answer = await data(query)
    assert answer["agent"] == {
        "key": "scout",
        "status": "RUNNING",
        "currentTask": {"name": "look", "left": None},
        "performanceMetrics": {"speed": 2},
        "lastActive": at(),
        "errors": [],
        "history": {
            "nodes": [
                {
                    "id": stored["id"],
                    "previousStatus": None,
                    "status": "RUNNING",
                    "error": None,
                    "reportedAt": at(),
                }
            ]
        },
    }
    task = {"name": "look", "left": None}
    facts = {"agent_key": "scout", "status": "RUNNING", "task": task, "error": None}
    assert answer["events"]["nodes"] == [
        {
            "eventType": "agent_status_update",
            "source": "agent-manager",
            "payload": facts,
            "timestamp": at(),
        }
    ]


async def test_a_batch_of_reports(done: Any, data: Any) -> None:
    reports = [
        {"agentKey": f"a{n % 3}", "status": "IDLE" if n != 4 else "ASLEEP", "reportedAt": at(n)}
        for n in range(6)
    ]
    batch = await done("reportAgentStatuses", {"reports": reports})
    assert [r["error"] for r in batch["results"] if r["error"]] == [
        {"code": "INVALID", "field": "status"}
    ]
    agents = (await data("{ agents { nodes { key lastActive } } }"))["agents"]["nodes"]
    assert {a["key"]: a["lastActive"] for a in agents} == {"a0": at(3), "a1": at(1), "a2": at(5)}


async def test_performance_becomes_state_and_metrics(done: Any, data: Any) -> None:
    report = {"agentKey": "scout", "status": "RUNNING", "taskType": "search", "taskCount": 7}
    await done("reportAgentPerformance", report | {"responseTime": 120.5, "successRate": 98})
    answer = await data(
        """{ agent(key: "scout") { status performanceMetrics }
        metrics(orderBy: [{field: TIMESTAMP}]) { nodes { metricName value unit tags } } }"""
    )
    figures = {"responseTime": 120.5, "successRate": 98, "taskCount": 7}
    assert answer["agent"] == {"status": "RUNNING", "performanceMetrics": figures}
    tags = {"agent_key": "scout", "task_type": "search"}
    named = {
        "agent_scout_response_time": (120.5, "ms"),
        "agent_scout_success_rate": (98, "percent"),
    }
    stored = {m["metricName"]: (m["value"], m["unit"]) for m in answer["metrics"]["nodes"]}
    assert stored == named
    assert all(m["tags"] == tags for m in answer["metrics"]["nodes"])


async def test_an_error_of_an_agent(done: Any, data: Any) -> None:
    await done("reportAgentError", {"agentKey": "a", "message": "lost", "reportedAt": at(-2)})
    await done(
        "reportAgentError",
        {"agentKey": "a", "message": "again", "status": "WAITING", "reportedAt": at(-1)},
    )
    agent = (await data('{ agent(key: "a") { status errors { at message } } }'))["agent"]
    assert agent == {
        "status": "WAITING",
        "errors": [{"at": at(-2), "message": "lost"}, {"at": at(-1), "message": "again"}],
    }


async def test_an_agent_is_forgotten(done: Any, run: Any, data: Any) -> None:
    await done("reportAgentStatus", {"agentKey": "a", "status": "WAITING"})
    text = """mutation { forgetAgent(input: {agentKey: "a"}) {
      ... on AgentForgotten { agentKey eventId } ... on NotFound { code } } }"""
    who = Principal(scopes=frozenset({"agents:write"}))
    first, second = await run(text, who=who), await run(text)
    assert first.data["forgetAgent"]["agentKey"] == "a"
    assert second.data["forgetAgent"] == {"code": "NOT_FOUND"}
    answer = await data("{ agents { totalCount } agentHistory { totalCount } }")
    assert answer == {"agents": {"totalCount": 0}, "agentHistory": {"totalCount": 2}}
    query = f'{{ event(id: "{first.data["forgetAgent"]["eventId"]}") {{ eventType payload }} }}'
    assert (await data(query))["event"] == {
        "eventType": "agent_forgotten",
        "payload": {"agent_key": "a", "status": "WAITING"},
    }


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


async def test_members_tell_of_themselves_only(done: Any) -> None:
    member = Principal(user_id=uuid7(NOW), role=Role.MEMBER)
    own, other = {"action": "clicked"}, {"action": "clicked", "userId": f"user_{uuid7(NOW).hex}"}
    assert (await done("trackUserAction", own, member))["__typename"] == "Stored"
    assert (await done("trackUserAction", other, member))["code"] == "FORBIDDEN"
    batch = await done("trackUserActions", {"actions": [own, other]}, member)
    assert [r["error"] and r["error"]["code"] for r in batch["results"]] == [None, "FORBIDDEN"]
    scoped = Principal(scopes=frozenset({"events:write"}))
    assert (await done("trackUserAction", other, scoped))["__typename"] == "Stored"


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
    allowed = await send(name, input, Principal(scopes=frozenset({scope})))
    assert allowed.errors == []
    stranger = await send(name, input, ANONYMOUS)
    assert stranger.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"
    member = await send(name, input, Principal(user_id=uuid7(NOW), role=Role.MEMBER))
    if name != "trackUserActions":
        assert member.errors[0]["extensions"]["code"] == "FORBIDDEN"


async def test_too_many_items_at_once(done: Any) -> None:
    answer = await done("logEvents", {"events": [EVENT] * 1001})
    assert (answer["code"], answer["field"]) == ("INVALID", "events")


async def test_a_full_lane_says_when_to_come_back(
    send: Send, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MAX_ROWS", 1)
    answer = await send("logEvents", {"events": [EVENT] * 2})
    (error,) = answer.errors
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert 50 <= error["extensions"]["retryAfterMs"] <= 5000
    assert answer.data is None


async def test_a_gateway_that_stops_takes_nothing(database: Database) -> None:
    context = Context(database, DEVELOPER, "test-request")
    text = ONE % ("LogEvent", "logEvent", STORED)
    answer = await execute(prepare(schema, text), {"input": EVENT}, context)
    assert answer.errors[0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"
