"""Times in the future are refused, wherever clients send one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database
from support.agent_gateways import DAY, SLOW, Gateway, printed
from support.gateways import ask, gateway, make_key, production


async def test_a_report_from_the_future_is_refused(two: tuple[Gateway, Gateway]) -> None:
    _, right = two
    assert await right.report("a", "RUNNING", datetime.now(UTC) + DAY) == {
        "code": "INVALID",
        "field": "reportedAt",
        "message": "The time must be between ten years ago and five minutes from now.",
    }
    assert await right.state() is None


OTHERS = {
    "logEvent": ('eventType: "e", source: "s"', "timestamp"),
    "logError": ('message: "m"', "timestamp"),
    "recordMetric": ('metricName: "m", value: 1', "timestamp"),
    "trackUserAction": ('action: "a"', "timestamp"),
    "reportAgentStatus": ('agentKey: "a", status: IDLE', "reportedAt"),
    "reportAgentPerformance": (
        'agentKey: "a", status: IDLE, responseTime: 1, successRate: 1',
        "reportedAt",
    ),
    "reportAgentError": ('agentKey: "a", message: "m"', "reportedAt"),
}


@pytest.mark.parametrize("verb", OTHERS)
async def test_nothing_happened_in_the_future(database: Database, verb: str) -> None:
    settings = production()
    scopes = ["agents:write", "events:write", "metrics:write"]
    key = (await make_key(database, settings, scopes=scopes)).text
    app, (fields, name) = gateway(settings, database), OTHERS[verb]

    async def send(at: datetime) -> Any:
        input = f'{{{fields}, {name}: "{printed(at)}"}}'
        query = f"mutation {{ {verb}(input: {input}) {{ errors {{ code field }} }} }}"
        return (await ask(app, key, query)).json()["data"][verb]

    now = await database.now()
    refused = {"errors": [{"code": "INVALID", "field": [name]}]}
    assert await send(now + timedelta(minutes=6)) == refused
    assert await send(now - timedelta(days=3660)) == refused
    assert await send(now + timedelta(minutes=4)) == {"errors": []}
    assert await send(now - timedelta(days=3650)) == {"errors": []}


async def test_one_item_from_the_future_refuses_only_itself(two: tuple[Gateway, Gateway]) -> None:
    _, right = two
    times = [datetime.now(UTC) + off for off in (timedelta(), DAY, SLOW)]
    reports = ", ".join(
        f'{{agentKey: "a{n}", status: "IDLE", reportedAt: "{printed(at)}"}}'
        for n, at in enumerate(times)
    )
    answer = await right.ask(
        f"mutation {{ reportAgentStatuses(input: {{reports: [{reports}]}}) {{"
        " storedCount refused { index errors { code field } } } }"
    )
    assert answer["reportAgentStatuses"] == {
        "storedCount": 2,
        "refused": [
            {
                "index": 1,
                "errors": [{"code": "INVALID", "field": ["reports", "1", "reportedAt"]}],
            }
        ],
    }
