"""Events as they happen, followed; and their rates."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database, audit
from db.users import User
from graph.core.subscriptions import polled
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.events.streams import Counts, Rates
from support.factories import make_event, make_user
from support.principals import with_scopes
from support.query_count import statements
from support.subscriptions import Follow, Refused
from support.wait import until

EVENTS = """subscription ($filter: EventFilter, $after: String) {
  events(filter: $filter, after: $after) { kind cursor events { eventType } }
}"""
RATES = "subscription { eventRates { seconds rates { eventType severity count perSecond } } }"
READER = with_scopes("events:read")


def types(messages: list[Any]) -> list[str]:
    return [event["eventType"] for message in messages for event in message["events"]]


async def test_every_event_is_sent_in_order(database: Database, follow: Follow) -> None:
    await make_event(database, event_type="before")
    follower = await follow(EVENTS)
    first = await follower.number(1)
    assert (first["kind"], first["events"]) == ("SNAPSHOT", [])

    names = [f"e{number}" for number in range(30)]
    for name in names:
        await make_event(database, event_type=name)
    assert types(await follower.until(lambda messages: len(types(messages)) == 30)) == names


async def test_a_cursor_resumes_after_its_message(database: Database, follow: Follow) -> None:
    follower = await follow(EVENTS)
    cursor = (await follower.number(1))["cursor"]
    for name in ("a", "b", "c"):
        await make_event(database, event_type=name)
    await follower.until(lambda messages: len(types(messages)) == 3)

    again = await follow(EVENTS, {"after": cursor})
    assert types(await again.until(lambda messages: len(types(messages)) == 3)) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("filter", "sent"),
    [
        ({"severity": {"in": ["ERROR", "CRITICAL"]}}, 0),
        ({"not": {"severity": {"in": ["INFO", "DEBUG"]}}}, 0),
        ({"eventType": {"contains": "äRGER"}}, 1),
        ({"eventType": {"gt": "r"}}, 1),
    ],
)
async def test_a_filter_costs_a_statement_only_where_it_must(
    database: Database, live: SubscriptionBroker, follow: Follow, filter: Any, sent: int
) -> None:
    follower = await follow(EVENTS, {"filter": filter})
    await follower.number(1)
    async with database.write() as session:
        await make_event(session, event_type="quiet")
        await make_event(session, event_type="Ärger", severity="ERROR")
    await follower.number(2)
    seen = types(follower.messages)
    async with database.write() as session:
        await make_event(session, event_type="quiet", severity="DEBUG")
        await make_event(session, event_type="ärgerlich", severity="CRITICAL")
    with statements(database, exactly=sent):
        await follower.number(3)

    assert seen == ["Ärger"]
    assert types(follower.messages) == ["Ärger", "ärgerlich"]


async def test_relations_are_loaded_anew_for_each_message(
    database: Database, follow: Follow
) -> None:
    user = await make_user(database, passport_tier="visitor")
    text = "subscription { events { kind events { user { passportTier } } } }"
    follower = await follow(text)
    await follower.number(1)
    await make_event(database, user_id=user.id)
    assert (await follower.number(2))["events"] == [{"user": {"passportTier": "visitor"}}]

    await change_tier(database, user, "dreamer")
    await make_event(database, user_id=user.id)
    assert (await follower.number(3))["events"] == [{"user": {"passportTier": "dreamer"}}]


async def change_tier(database: Database, user: Any, tier: str) -> None:
    async with database.write() as session:
        await audit.change(session, User, user, passport_tier=tier)


async def test_those_without_the_scope_are_refused(follow: Follow) -> None:
    with pytest.raises(Refused) as refused:
        await follow(EVENTS, who=with_scopes("agents:read"))
    assert refused.value.errors[0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_filter_that_is_none_is_refused(follow: Follow) -> None:
    with pytest.raises(Refused) as refused:
        await follow(EVENTS, {"filter": {"severity": {"eq": None}}})
    assert refused.value.errors[0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_rates_are_counts_of_the_last_minute(
    database: Database, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Rates, "seconds", 0.05)
    now = datetime.now(UTC)
    for age, name in ((90, "old"), (3, "a"), (2, "b"), (1, "b")):
        at = now - timedelta(seconds=age)
        await make_event(database, event_type=name, timestamp=at)

    follower = await follow(RATES, who=READER)
    assert await follower.number(1) == {
        "seconds": 60,
        "rates": [
            {"eventType": "b", "severity": "INFO", "count": "2", "perSecond": 2 / 60},
            {"eventType": "a", "severity": "INFO", "count": "1", "perSecond": 1 / 60},
        ],
    }
    await make_event(database, event_type="c", timestamp=now)
    await follower.until(lambda messages: any(len(m["rates"]) == 3 for m in messages))


async def test_a_series_costs_its_statement_once_per_interval(
    database: Database, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many watch it, and whatever they select of it."""
    monkeypatch.setattr(Rates, "seconds", 0.2)
    others = [f"subscription {{ eventRates {{ {name} }} }}" for name in ("at", "seconds")]
    texts = [RATES, RATES, *others]
    followers = [await follow(text) for text in texts]
    for follower in followers:
        await follower.number(2)
    last = followers[-1]
    with statements(database) as sent:
        before = len(last.messages)
        await last.number(before + 3)

    assert 2 <= len(sent) <= 4


COUNTS = """subscription ($groupBy: [EventGroup!]!) {
  eventCounts(groupBy: $groupBy) { counts { bucket eventType source count } }
}"""


async def test_counts_are_sent_when_they_change(
    database: Database, follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counts, "seconds", 0.05)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    shown = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    await make_event(database, event_type="old", timestamp=now - timedelta(hours=30))
    await make_event(database, event_type="a", timestamp=now)

    follower = await follow(COUNTS, {"groupBy": ["EVENT_TYPE"]}, who=READER)
    first = await follower.number(1)
    with statements(database) as sent:
        await until(lambda: len(sent) == 4)  # readings without a change
    await make_event(database, event_type="a", timestamp=now)
    second = await follower.number(2)

    of_type = {"bucket": shown, "eventType": "a", "source": None}
    assert first == {"counts": [{**of_type, "count": "1"}]}
    assert second == {"counts": [{**of_type, "count": "2"}]}


async def test_unchanged_counts_are_sent_with_the_heartbeat(
    follow: Follow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counts, "seconds", 0.02)
    monkeypatch.setattr(polled, "HEARTBEAT", timedelta(seconds=0.1))

    follower = await follow("subscription { eventCounts(groupBy: []) { at counts { count } } }")

    first, second = await follower.number(1), await follower.number(2)
    assert first["counts"] == second["counts"] == []
    assert first["at"] < second["at"]
