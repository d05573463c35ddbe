"""Journeys: sessions, their steps and paths against the same computed in Python; exact counts."""

from collections import Counter, defaultdict
from datetime import timedelta
from random import Random
from typing import Any

from db import Database
from support.business import printed
from support.factories import make_user, make_user_action
from support.graphql_client import Endpoint

JOURNEYS = """query ($from: DateTime!, $to: DateTime!) {
  journeys(from: $from, to: $to, first: 100) { rows {
    sessionId firstAt lastAt durationSeconds actionCount user { id }
    steps { action page timestamp }
  } }
  journeyPaths(from: $from, to: $to, length: 2, first: 100) { rows { actions sessionCount } }
  journey(sessionId: "s1") { actionCount steps { action } }
  nothing: journey(sessionId: "") { actionCount }
}"""


async def test_journeys_equal_those_computed_from_the_actions(
    endpoint: Endpoint, database: Database
) -> None:
    random = Random(1)  # noqa: S311  no secret
    user = await make_user(database)
    sessions: dict[str, list[Any]] = defaultdict(list)
    for _ in range(60):
        name = random.choice([None, "s1", "s2", "s3", "s4"])
        action = await make_user_action(
            database,
            session_id=name,
            action=random.choice(["opened", "closed"]),
            page=random.choice([None, "/a"]),
            user_id=user.id if name == "s1" and random.random() < 0.5 else None,
        )
        sessions[name or ""].append(action)
    del sessions[""]
    first = min(each.timestamp for every in sessions.values() for each in every)
    until = max(each.timestamp for every in sessions.values() for each in every)
    span = {"from": printed(first), "to": printed(until + timedelta(seconds=1))}

    data = await endpoint.data(JOURNEYS, span)

    latest = sorted(sessions.items(), key=lambda item: item[1][-1].timestamp, reverse=True)
    assert data["journeys"]["rows"] == [
        {
            "sessionId": name,
            "firstAt": printed(actions[0].timestamp),
            "lastAt": printed(actions[-1].timestamp),
            "durationSeconds": (actions[-1].timestamp - actions[0].timestamp).total_seconds(),
            "actionCount": len(actions),
            "user": {"id": f"user_{user.id.hex}"} if name == "s1" else None,
            "steps": [
                {"action": each.action, "page": each.page, "timestamp": printed(each.timestamp)}
                for each in actions
            ],
        }
        for name, actions in latest
    ]
    paths = Counter(tuple(each.action for each in every[:2]) for every in sessions.values())
    expected = sorted(paths.items(), key=lambda item: (-item[1], item[0]))
    assert data["journeyPaths"]["rows"] == [
        {"actions": list(actions), "sessionCount": str(count)} for actions, count in expected
    ]
    assert data["journey"]["actionCount"] == len(sessions["s1"])
    assert data["nothing"] is None


async def test_rows_are_counted_exactly(endpoint: Endpoint, database: Database) -> None:
    for _ in range(3):
        await make_user_action(database)

    data = await endpoint.data("{ usage { name exactRows } }")

    counts = {table["name"]: table["exactRows"] for table in data["usage"]}
    assert counts["user_analytics"] == "3"
    assert counts["dreams"] == "0"
    assert None not in counts.values()
