"""Previews: when a rule would have fired, compared with one evaluation for each minute."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from statistics import mean
from typing import Any, NamedTuple

import pytest

from db import Database
from db.alerts import minutes, previews
from db.core.query.time_range import TimeRange
from support.factories import (
    make_agent,
    make_agent_report,
    make_ai_test,
    make_dream,
    make_event,
    make_metric,
    make_user,
)
from support.graphql_client import Endpoint
from support.query_count import statements

START = datetime(2026, 1, 31, 23, tzinfo=UTC)  # an hour before the end of a month
END = START + timedelta(hours=2)
MINUTE = timedelta(minutes=1)
PREVIEW = """query ($rule: PreviewAlertRuleInput!, $from: DateTime, $to: DateTime) {
  previewAlertRule(rule: $rule, from: $from, to: $to) {
    window { from to } alerts { title value openedAt closedAt } } }"""
EVENTS = {"watch": {"events": {"eventType": "deployed"}}, "windowMinutes": 10}
Row = dict[str, Any]


class Fact(NamedTuple):
    """A stored row: its time, what it is of, and its value."""

    at: datetime
    of: str
    value: Decimal


def rule(threshold: str = "1", comparison: str = "GT", **columns: Any) -> Any:
    return previews.draft(
        name="Rule", threshold=Decimal(threshold), comparison=comparison, **columns
    )


def spend(of: str, **more: Any) -> Row:
    return {"kind": "SPEND", "spend_of": of, **more}


def metric(aggregate: str, **more: Any) -> Row:
    return {"kind": "METRIC", "metric_name": "load", "aggregate": aggregate, **more}


class World:
    """Random rows of three hours, from an hour before the range on, stored and kept."""

    def __init__(self, database: Database) -> None:
        self.database, self.random = database, Random(15)  # noqa: S311  sample rows
        self.facts: defaultdict[str, list[Fact]] = defaultdict(list)

    def times(self, count: int) -> Iterator[datetime]:
        """Some of them are whole minutes, and some share one."""
        for _ in range(count):
            seconds = self.random.randrange(-3_600, 7_200)
            whole = self.random.random() < 0.2
            yield START + timedelta(seconds=seconds - seconds % 60 if whole else seconds)

    def keep(self, kind: str, at: datetime, of: str, value: int) -> Decimal:
        self.facts[kind].append(Fact(at, of, Decimal(value)))
        return Decimal(value)

    async def fill(self) -> None:
        async with self.database.write() as session:
            users = [await make_user(session) for _ in range(2)]
            dream = await make_dream(session)
            for at in self.times(60):
                value = self.keep("METRIC", at, "load", self.random.randrange(-5, 20))
                await make_metric(session, metric_name="load", value=value, timestamp=at)
            for at in self.times(60):
                self.keep("EVENTS", at, "deployed", 1)
                await make_event(session, timestamp=at)
            for at in self.times(60):
                user, provider = self.random.choice(users), self.random.choice("ab")
                cost = self.keep("SPEND", at, provider, self.random.randrange(4))
                self.keep("USERS", at, str(user.id), int(cost))
                of = {"dream_id": dream.id, "user_id": user.id, "provider": provider}
                await make_ai_test(session, created_at=at, cost=cost, **of)


SUM: Callable[[Sequence[Decimal]], Decimal] = lambda values: sum(values, Decimal(0))  # noqa: E731
RULES: list[tuple[Any, str, Any]] = [
    (rule(kind="EVENTS", event_type="deployed", window_minutes=7), "EVENTS", SUM),
    (
        rule(kind="EVENTS", event_type="deployed", window_minutes=3, cooldown_minutes=11),
        "EVENTS",
        SUM,
    ),
    (rule("2", "LT", kind="EVENTS", event_type="deployed", window_minutes=5), "EVENTS", SUM),
    (rule("8", **metric("AVERAGE", window_minutes=5)), "METRIC", mean),
    (rule("0", "LTE", **metric("MINIMUM", window_minutes=9)), "METRIC", min),
    (rule("15", "GTE", **metric("MAXIMUM", window_minutes=9)), "METRIC", max),
    (rule("20", **metric("TOTAL", window_minutes=6)), "METRIC", SUM),
    (rule("3", "LT", **metric("COUNT", window_minutes=9)), "METRIC", lambda v: Decimal(len(v))),
    (rule("0", **spend("ALL", window_minutes=2)), "SPEND", SUM),
    (rule("20", **spend("ALL", window_minutes=None)), "SPEND", SUM),
    (rule("5", **spend("PROVIDER", window_minutes=30)), "SPEND", SUM),
    (rule("1", "LT", **spend("PROVIDER", window_minutes=8, cooldown_minutes=4)), "SPEND", SUM),
    (rule("15", **spend("USER", window_minutes=None)), "USERS", SUM),
]


def evaluated(rule: Any, facts: Sequence[Fact], summary: Any) -> list[tuple[Any, ...]]:
    """The alerts of a rule that is evaluated once for each minute, from all rows."""
    is_each = rule.kind == "SPEND" and rule.spend_of != "ALL"
    compare = {
        "GT": Decimal.__gt__,
        "GTE": Decimal.__ge__,
        "LT": Decimal.__lt__,
        "LTE": Decimal.__le__,
    }[rule.comparison]
    subjects = {fact.of for fact in facts} if is_each else {""}
    alerts: list[tuple[Any, ...]] = []
    for subject in subjects:
        opened, free, at = None, START, START
        while at <= END:
            since = at - timedelta(minutes=rule.window_minutes or 0)
            if rule.window_minutes is None:
                since = at.replace(day=1, hour=0, minute=0)
            mine = [f for f in facts if since <= f.at < at and subject in ("", f.of)]
            is_known = bool(mine) or (summary is SUM or rule.aggregate == "COUNT")
            value = summary([f.value for f in mine]) if is_known else Decimal(0)
            is_beyond = bool(compare(value, rule.threshold)) and (bool(mine) or not is_each)
            if is_known and is_beyond and opened is None and at >= free:
                opened = (subject, value, at)
            elif is_known and not is_beyond and opened is not None:
                alerts.append((*opened, at))
                opened, free = None, at + timedelta(minutes=rule.cooldown_minutes)
            at += MINUTE
        if opened is not None:
            alerts.append((*opened, None))
    return sorted(alerts, key=lambda alert: (alert[2], alert[0]))


async def test_a_preview_equals_an_evaluation_of_each_minute(database: Database) -> None:
    world = World(database)
    await world.fill()
    span = TimeRange(START, END, END + timedelta(days=1))
    for rule, kind, summary in RULES:
        async with database.unrestricted().read() as session:
            seen = await previews.preview(session, rule, span)
        found = [
            (each.reading.subject, each.value, each.opened_at, each.closed_at)
            for each in seen.alerts
        ]
        expected = evaluated(rule, world.facts[kind], summary)
        assert expected, rule
        assert found == [
            (subject, pytest.approx(value), *times) for subject, value, *times in expected
        ], rule


async def test_a_month_is_previewed_in_few_statements(
    endpoint: Endpoint, database: Database
) -> None:
    now = (await database.now()).replace(second=0, microsecond=0)
    for days in (30, 2):
        for _ in range(2):
            await make_event(database, timestamp=now - timedelta(days=days))
    span = {"from": (now - timedelta(days=31)).isoformat(), "to": now.isoformat()}
    rule = {**EVENTS, "comparison": "GT", "threshold": "1"}
    with statements(database, at_most=2):  # the clock, and the rows
        data = await endpoint.data(PREVIEW, {"rule": rule, **span})
    assert [_minutes(alert) for alert in data["previewAlertRule"]["alerts"]] == [10, 10]


async def test_a_preview_of_agents_reads_their_reports(
    endpoint: Endpoint, database: Database
) -> None:
    start = (await database.now()).replace(second=0, microsecond=0) - timedelta(minutes=30)
    agent = await make_agent(database, last_active=start)
    silent = await make_agent(database, last_active=start)
    for key, minute, status in (
        (agent.agent_key, -9, "IDLE"),
        (agent.agent_key, 1, "ERROR"),
        (agent.agent_key, 4, "RUNNING"),
        (silent.agent_key, -9, "ERROR"),
        (silent.agent_key, 15, "OFFLINE"),
    ):
        at = start + timedelta(minutes=minute)
        await make_agent_report(
            database, agent_key=key, status=status, reported_at=at, received_at=at
        )
    span = {"from": start.isoformat(), "to": (start + timedelta(minutes=20)).isoformat()}
    for condition, lengths in (("ERROR", [3]), ("STALE", [2, 2, None])):
        rule = {"watch": {"agents": {"condition": condition}}, "comparison": "GT"}
        data = await endpoint.data(PREVIEW, {"rule": {**rule, "threshold": "1"}, **span})
        alerts = data["previewAlertRule"]["alerts"]
        assert [_minutes(alert) for alert in alerts] == lengths, condition


def _minutes(alert: Row) -> int | None:
    if alert["closedAt"] is None:
        return None
    opened, closed = (datetime.fromisoformat(alert[name]) for name in ("openedAt", "closedAt"))
    return (closed - opened) // MINUTE


async def test_what_cannot_be_previewed_is_refused(
    endpoint: Endpoint, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(minutes, "MOST_PARTS", 1)
    for age in (2, 4):
        await make_event(database, timestamp=await database.now() - age * MINUTE)
    feed = {"watch": {"feedLag": {"feed": "CHANGES"}}}
    for rule, span in ((feed, {}), (EVENTS, {"from": "2026-01-01T00:00:00Z"}), (EVENTS, {})):
        input = {**rule, "comparison": "GT", "threshold": "1"}
        answer = await endpoint.answer(PREVIEW, {"rule": input, **span})
        assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
