"""Events: one by one, and counted over time."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database, events
from db.core import turns
from db.users import Role
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, Principal
from graph.core.types.node import global_id
from support.factories import START, make_dream, make_event, make_user
from support.principals import with_scopes
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[OperationResult]]

KEY = with_scopes("events:read")
MEMBER = Principal(role=Role.MEMBER)


@pytest.mark.parametrize("number", [1, 5])
async def test_events_with_their_users_are_two_statements(
    database: Database, data: Data, number: int
) -> None:
    made = []
    for second in range(number):
        user = await make_user(database)
        at = START + timedelta(seconds=second)
        event = await make_event(database, user_id=user.id, timestamp=at, metadata={"row": second})
        made.append((second, event, user))
    document = """{
        events {
            nodes {
                id seq eventType source severity payload timestamp metadata user { id }
            }
        }
    }"""
    with statements(database, exactly=2):
        answer = await data(document)

    assert answer["events"]["nodes"] == [
        {
            "id": global_id(event),
            "seq": str(second + 1),
            "eventType": "deployed",
            "source": "gateway",
            "severity": "INFO",
            "payload": {"version": "1.0"},
            "timestamp": f"2026-01-15T12:00:0{second}.000000Z",
            "metadata": {"row": second},
            "user": {"id": global_id(user)},
        }
        for second, event, user in reversed(made)
    ]


async def test_an_event_is_found_by_its_id(database: Database, data: Data) -> None:
    event = await make_event(database, severity="CRITICAL")
    document = "query ($id: ID!) { event(id: $id) { severity user { id } } node(id: $id) { id } }"
    with statements(database, at_most=2):
        answer = await data(document, {"id": global_id(event)})

    assert answer == {
        "event": {"severity": "CRITICAL", "user": None},
        "node": {"id": global_id(event)},
    }


async def test_events_are_filtered(database: Database, data: Data) -> None:
    user = await make_user(database)
    for second, severity in enumerate(("INFO", "ERROR", "CRITICAL")):
        at = START + timedelta(seconds=second)
        await make_event(database, severity=severity, timestamp=at, user_id=user.id)
    await make_event(database, event_type="request", source="api")
    document = """query ($user: ID!, $from: DateTime!) {
        grave: events(filter: {severity: {in: [ERROR, CRITICAL]}, userId: {eq: $user}}) {
            totalCount
            nodes { severity }
        }
        later: events(
            filter: {timestamp: {gt: $from}, eventType: {eq: "deployed"}}
            orderBy: [{field: TIMESTAMP}]
        ) { nodes { severity } }
        api: events(filter: {source: {startsWith: "ap"}}) { nodes { eventType } }
    }"""
    variables = {"user": global_id(user), "from": "2026-01-15T12:00:00Z"}
    with statements(database, exactly=5):  # with the end of a look, for sources
        answer = await data(document, variables)

    assert answer == {
        "grave": {"totalCount": 2, "nodes": [{"severity": "CRITICAL"}, {"severity": "ERROR"}]},
        "later": {"nodes": [{"severity": "ERROR"}, {"severity": "CRITICAL"}]},
        "api": {"nodes": [{"eventType": "request"}]},
    }


COUNTS = """query ($from: DateTime, $to: DateTime) {
    eventCounts(from: $from, to: $to) { rows { bucket eventType source severity count } }
}"""


async def test_events_are_counted_by_hour_type_and_source(database: Database, data: Data) -> None:
    for minute, source in ((0, "api"), (1, "worker"), (59, "api"), (60, "api"), (120, "api")):
        await make_event(database, source=source, timestamp=START + timedelta(minutes=minute))
    times = {"from": "2026-01-15T12:00:00Z", "to": "2026-01-15T14:00:00Z"}
    with statements(database, exactly=1):
        answer = await data(COUNTS, times)

    group = {"eventType": "deployed", "severity": None}
    assert answer["eventCounts"]["rows"] == [
        {"bucket": "2026-01-15T12:00:00.000000Z", **group, "source": "api", "count": "2"},
        {"bucket": "2026-01-15T12:00:00.000000Z", **group, "source": "worker", "count": "1"},
        {"bucket": "2026-01-15T13:00:00.000000Z", **group, "source": "api", "count": "1"},
    ]


async def test_events_are_counted_of_the_last_day_by_default(
    database: Database, data: Data
) -> None:
    now = datetime.now(UTC)
    for hours in (25, 23):
        await make_event(database, source=str(hours), timestamp=now - timedelta(hours=hours))

    counts = (await data(COUNTS))["eventCounts"]["rows"]

    assert [(count["source"], count["count"]) for count in counts] == [("23", "1")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("bucket: DAY, groupBy: []", [(None, None, None, "3")]),
        ("bucket: MINUTE, groupBy: []", [(None, None, None, "2"), (None, None, None, "1")]),
        (
            "bucket: DAY, groupBy: [SEVERITY, SEVERITY]",
            [(None, None, "ERROR", "1"), (None, None, "INFO", "2")],
        ),
        (
            "bucket: MONTH, groupBy: [SEVERITY, SOURCE, EVENT_TYPE]",
            [
                ("deployed", "a", "ERROR", "1"),
                ("deployed", "a", "INFO", "1"),
                ("deployed", "b", "INFO", "1"),
            ],
        ),
    ],
)
async def test_columns_outside_of_the_grouping_are_null(
    database: Database, data: Data, arguments: str, expected: list[Any]
) -> None:
    for second, source, severity in ((0, "a", "INFO"), (1, "b", "INFO"), (60, "a", "ERROR")):
        at = START + timedelta(seconds=second)
        await make_event(database, source=source, severity=severity, timestamp=at)
    document = f"""{{
        eventCounts(from: "2026-01-15T00:00:00Z", {arguments}) {{ rows {{
            eventType source severity count
        }} }}
    }}"""
    with statements(database, exactly=1):
        counts = (await data(document))["eventCounts"]["rows"]

    assert [tuple(count.values()) for count in counts] == expected


@pytest.mark.parametrize(
    ("event_type", "source", "payload", "count"),
    [
        ("api_request", "api-server", {}, 1),
        ("api_request", "api-server", {"weight": 42}, 42),
        ("api_request", "proxy", {"weight": 42}, 1),
        ("deployed", "api-server", {"weight": 42}, 1),
        ("api_request", "api-server", {"weight": "42"}, 1),
        ("api_request", "api-server", {"weight": None}, 1),
        ("api_request", "api-server", {"weight": [42]}, 1),
        ("api_request", "api-server", {"weight": -5}, 1),
        ("api_request", "api-server", {"weight": 10**300}, 1_000_000),
    ],
)
async def test_a_recorded_request_counts_as_many_as_it_stands_for(
    database: Database,
    data: Data,
    event_type: str,
    source: str,
    payload: dict[str, Any],
    count: int,
) -> None:
    now = await database.now()
    for weighed in (payload, {}):
        event = {"event_type": event_type, "source": source, "payload": weighed}
        await make_event(database, timestamp=now - timedelta(seconds=1), **event)

    (counted,) = (await data(COUNTS))["eventCounts"]["rows"]
    async with database.read() as session:
        _, (rate,) = await events.rates(session, 60)

    assert counted["count"] == str(count + 1)
    assert rate.count == count + 1


@pytest.mark.parametrize(
    ("who", "code"), [(KEY, None), (MEMBER, "FORBIDDEN"), (ANONYMOUS, "UNAUTHENTICATED")]
)
async def test_events_are_for_operators_and_keys_with_the_scope(
    run: Run, who: Principal, code: str | None
) -> None:
    answer = await run("{ events { nodes { seq } } eventCounts { rows { count } } }", who=who)

    assert [error["extensions"]["code"] for error in answer.errors] == ([code] if code else [])


@pytest.mark.parametrize(
    ("mutation", "type_", "batch", "item"),
    [
        ("logEvents", "LogEventsInput", "events", {"eventType": "", "source": "b"}),
        ("recordMetrics", "RecordMetricsInput", "metrics", {"metricName": "", "value": 1}),
        ("reportAgentStatuses", "ReportAgentStatusesInput", "reports", {"agentKey": ""}),
        ("recordAiTests", "RecordAiTestsInput", "tests", {"provider": "a", "model": ""}),
    ],
)
async def test_others_have_turns_between_the_items_of_a_batch(
    database: Database,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    mutation: str,
    type_: str,
    batch: str,
    item: dict[str, Any],
) -> None:
    monkeypatch.setattr(turns, "PIECE_SECONDS", 0)
    more = {
        "reportAgentStatuses": {"status": "RUNNING"},
        "recordAiTests": {"dreamId": global_id(await make_dream(database))},
    }
    begun, seen = asyncio.Event(), 0

    async def others() -> None:
        nonlocal seen
        begun.set()
        while True:
            await asyncio.sleep(0)
            seen += 1

    running = asyncio.create_task(others())
    await begun.wait()
    items = [item | more.get(mutation, {})] * 300
    document = f"mutation ($i: {type_}!) {{ {mutation}(input: $i) {{ errors {{ code }} }} }}"
    answer = await data(document, {"i": {batch: items}})
    running.cancel()

    assert answer[mutation]["errors"] == []
    assert seen >= 300
