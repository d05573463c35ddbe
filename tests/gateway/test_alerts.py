"""Alerts: rules open and close them, once, whichever process evaluates."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from db import Database
from db.alerts import Alert, AlertRule, evaluation
from db.alerts.counting import FEED_LOCKS
from db.audit import AuditEntry
from db.core.session.row_rules import without_row_rules
from db.events import Event
from db.notifications import Notification
from graph.core.types.node import global_id
from support.factories import (
    make_agent,
    make_ai_test,
    make_alert_rule,
    make_config_entry,
    make_event,
    make_metric,
    make_user,
)
from support.gateways import gateway, make_key, production, signed_in
from support.graphql_client import Endpoint
from support.wait import until

RULE = """alertRule { id name kind windowMinutes comparison threshold cooldownMinutes notifies
  isActive isBuiltin version watch { spend { of user { id } provider }
  metric { metricName aggregate } events { eventType severity } agents { condition }
  feedLag { feed } } }"""
ALERTS = """query ($filter: AlertFilter) { alerts(filter: $filter) { totalCount nodes {
  title subject value threshold closedAt acknowledgedAt user { id } } } }"""
WATCHES = {
    "spend": {"of": "PROVIDER", "provider": "openai"},
    "metric": {"metricName": "load", "aggregate": "AVERAGE"},
    "events": {"eventType": "deployed", "severity": "INFO"},
    "agents": {"condition": "ERROR"},
    "feedLag": {"feed": "CHANGES"},
}
Row = dict[str, Any]


def rule_input(kind: str = "events", **more: Any) -> Row:
    watch = {"name": kind, "watch": {kind: WATCHES[kind]}, "comparison": "GT", "threshold": "1"}
    return watch | ({} if kind in ("agents", "feedLag") else {"windowMinutes": 60}) | more


async def due(database: Database, **values: Any) -> None:
    """Make all rules due."""
    async with database.write() as session:
        await session.execute(update(AlertRule).values(next_evaluation_at=func.now(), **values))


async def evaluated(database: Database) -> int:
    await due(database)
    return await evaluation.run_due(database)


async def stored(database: Database) -> list[Any]:
    async with database.unrestricted().read() as session:
        return await session.records(Alert, Alert.select().order_by(Alert.id))


@pytest.mark.parametrize("kind", WATCHES)
async def test_a_rule_of_each_kind_is_created_changed_and_deleted(
    endpoint: Endpoint, database: Database, kind: str
) -> None:
    made = await endpoint.mutate("createAlertRule", rule_input(kind, idempotencyKey="k"), RULE)
    again = await endpoint.mutate("createAlertRule", rule_input(kind, idempotencyKey="k"), RULE)
    assert made == again
    shown = {name: value for name, value in made["watch"].items() if value is not None}
    expected = WATCHES[kind] | ({"user": None} if kind == "spend" else {})
    assert shown == {kind: expected}
    assert [made["threshold"], made["version"], made["notifies"]] == ["1.000000", 1, True]

    change = {"id": made["id"], "threshold": "2", "cooldownMinutes": 5, "isActive": False}
    changed = await endpoint.mutate("updateAlertRule", change | {"expectedVersion": 1}, RULE)
    assert changed == made | {
        "threshold": "2.000000",
        "cooldownMinutes": 5,
        "isActive": False,
        "version": 2,
    }
    late = await endpoint.mutate("updateAlertRule", change | {"expectedVersion": 1}, RULE)
    assert late["code"] == "CONFLICT"
    gone = {"id": made["id"], "expectedVersion": 2}
    deleted = await endpoint.mutate("deleteAlertRule", gone, "deletedAlertRuleId")
    assert deleted == {"deletedAlertRuleId": made["id"]}
    async with database.unrestricted().read() as session:
        entries = await session.records(AuditEntry, AuditEntry.select().order_by(AuditEntry.id))
    operations = [entry.operation for entry in entries if entry.entity == "alert_rules"]
    assert operations == ["createAlertRule", "updateAlertRule", "deleteAlertRule"]


@pytest.mark.parametrize(
    ("input", "field"),
    [
        (rule_input("metric", windowMinutes=None), ["windowMinutes"]),
        (rule_input("agents", windowMinutes=5), ["windowMinutes"]),
        (rule_input("events", threshold=None), ["threshold"]),
        (rule_input("spend", threshold=None, windowMinutes=None), ["threshold"]),
        (rule_input("events", windowMinutes=0), ["windowMinutes"]),
        (rule_input("events", cooldownMinutes=-1), ["cooldownMinutes"]),
        (rule_input("events", name=" "), ["name"]),
        (rule_input("events", watch={"spend": {"of": "ALL", "provider": "openai"}}), ["watch"]),
        (rule_input("events", watch={"metric": {"metricName": "", "aggregate": "TOTAL"}}), None),
    ],
)
async def test_a_rule_whose_parts_do_not_fit_is_refused(
    endpoint: Endpoint, input: Row, field: list[str] | None
) -> None:
    payload = await endpoint.payload("createAlertRule", input, RULE)
    [error] = payload["errors"]
    assert error["code"] == "INVALID"
    assert field is None or error["field"] == field


@pytest.mark.parametrize("watch", [{}, {name: WATCHES[name] for name in ("agents", "events")}])
async def test_a_rule_watches_exactly_one_thing(endpoint: Endpoint, watch: Row) -> None:
    document = """mutation ($input: CreateAlertRuleInput!) {
      createAlertRule(input: $input) { alertRule { id } } }"""
    answer = await endpoint.answer(document, {"input": rule_input(watch=watch)})
    [error] = answer["errors"]
    assert error["extensions"]["code"] == "BAD_USER_INPUT"
    assert "AlertWatchInput" in error["message"]


async def test_built_in_rules_can_be_paused_only(endpoint: Endpoint) -> None:
    listed = await endpoint.data("{ alertRules { nodes { id name isBuiltin threshold } } }")
    rules = listed["alertRules"]["nodes"]
    assert [[rule["isBuiltin"], rule["threshold"]] for rule in rules] == [[True, None]] * 2
    [first, _] = [rule["id"] for rule in rules]
    for verb, more in (
        ("deleteAlertRule", {}),
        ("updateAlertRule", {"watch": {"agents": WATCHES["agents"]}, "threshold": "1"}),
    ):
        refused = await endpoint.mutate(verb, {"id": first, **more})
        assert refused["code"] == "FORBIDDEN"
    paused = await endpoint.mutate("updateAlertRule", {"id": first, "isActive": False}, RULE)
    assert paused["isActive"] is False


async def test_three_processes_open_one_alert(database: Database) -> None:
    user = await make_user(database, role="OPERATOR")
    rule = await make_alert_rule(database, created_by=user.id)
    await make_event(database, timestamp=await database.now())
    await due(database)
    counts = await asyncio.gather(*(evaluation.run_due(database) for _ in range(3)))
    await evaluated(database)

    assert sum(counts) == 1
    [alert] = await stored(database)
    assert [alert.rule_id, alert.value, alert.closed_at] == [rule.id, 1, None]
    async with database.unrestricted().read() as session:
        events = await session.records(Event, Event.select().where(Event.source == "alert-manager"))
        sent = await session.records(Notification, Notification.select())
    assert [event.event_type for event in events] == ["alert_opened"]
    assert [[each.user_id, each.kind, each.title] for each in sent] == [
        [user.id, "ALERT_OPENED", f"{rule.name}: 1 > 0"]
    ]


async def test_an_alert_closes_and_opens_again_after_its_cooldown(database: Database) -> None:
    rule = await make_alert_rule(database, cooldown_minutes=10)
    event = await make_event(database, timestamp=await database.now())
    await evaluated(database)
    async with database.write() as session:
        await session.execute(update(Event).where(Event.id == event.id).values(event_type="x"))
    assert await evaluated(database) == 1
    await make_event(database, timestamp=await database.now())
    assert await evaluated(database) == 0
    async with database.write() as session:
        earlier = {"closed_at": Alert.closed_at - timedelta(minutes=10)}
        await session.execute(update(Alert).where(Alert.rule_id == rule.id).values(earlier))
    assert await evaluated(database) == 1
    assert [alert.closed_at is None for alert in await stored(database)] == [False, True]


async def test_the_budget_of_each_user_is_a_rule(database: Database) -> None:
    await make_config_entry(database, key="budgets.user_monthly_usd", value=50)
    settings, now = production(), await database.now()
    poor, rich, quiet = [
        await make_user(database, monthly_budget=budget) for budget in (None, 100, None)
    ]
    for user, cost in ((poor, 51), (rich, 51), (quiet, 50)):
        await make_ai_test(database, user_id=user.id, created_at=now, cost=cost)
    assert await evaluated(database) == 1
    operator = await make_key(database, settings, scopes=["alerts:read"])
    for key, count in (
        (await make_key(database, settings, user_id=poor.id), 1),
        (await make_key(database, settings, user_id=rich.id), 0),
        (operator, 0),
        (
            await make_key(database, settings, scopes=["alerts:read", "dreams:read", "users:read"]),
            1,
        ),
    ):
        async with signed_in(gateway(settings, database), key.text) as send:
            seen = (await send("{ alerts { nodes { title value threshold } } }"))["alerts"]["nodes"]
        title = "Monthly budget of a user: 51 > 50"
        shown = {"title": title, "value": "51.000000", "threshold": "50.000000"}
        assert seen == [shown] * count, key
    async with database.write() as session:
        await session.execute(text("update users set monthly_budget = 51"))
    assert await evaluated(database) == 1


READINGS: list[tuple[Row, int]] = [
    ({"kind": "SPEND", "spend_of": "ALL", "threshold": 10}, 11),
    ({"kind": "SPEND", "spend_of": "PROVIDER", "threshold": 5, "provider": "b"}, 6),
    ({"kind": "METRIC", "metric_name": "load", "aggregate": "AVERAGE", "threshold": 1}, 2),
    ({"kind": "METRIC", "metric_name": "load", "aggregate": "MAXIMUM", "threshold": 2}, 3),
    ({"kind": "METRIC", "metric_name": "load", "aggregate": "TOTAL", "threshold": 3}, 4),
    ({"kind": "METRIC", "metric_name": "load", "aggregate": "COUNT", "threshold": 1}, 2),
    ({"kind": "EVENTS", "severity": "ERROR", "threshold": 1}, 2),
    ({"kind": "AGENTS", "agents": "STALE", "window_minutes": None, "threshold": 0}, 1),
    ({"kind": "AGENTS", "agents": "ERROR", "window_minutes": None, "threshold": 1}, 2),
]


@pytest.mark.parametrize(("columns", "value"), READINGS)
async def test_each_kind_reads_its_value(database: Database, columns: Row, value: int) -> None:
    now = await database.now()
    for provider, cost in (("a", 5), ("b", 6)):
        await make_ai_test(database, provider=provider, created_at=now, cost=cost)
    for load in (1, 3):
        await make_metric(database, metric_name="load", value=load, timestamp=now)
    for severity in ("ERROR", "ERROR", "INFO"):
        await make_event(database, severity=severity, timestamp=now)
    await make_agent(database, last_active=now - timedelta(seconds=61))
    for _ in range(2):
        await make_agent(database, last_active=now, status="ERROR")
    rule = await make_alert_rule(database, event_type=None, **columns)
    await evaluated(database)
    [alert] = [each for each in await stored(database) if each.rule_id == rule.id]
    assert alert.value == value


async def test_a_feed_that_is_held_up_opens_an_alert(database: Database) -> None:
    watch = {"kind": "FEED_LAG", "feed": "METRICS", "window_minutes": None, "event_type": None}
    await make_alert_rule(database, **watch)
    locks = "select granted from pg_locks where locktype = 'advisory' and objid = 4"
    async with database.write() as holder:
        await holder.execute(text(f"select pg_advisory_xact_lock({FEED_LOCKS}, 4)"))
        waiting = asyncio.create_task(make_metric(database))
        await until_rows(database, text(f"{locks} and not granted and waitstart is not null"))
        assert await evaluated(database) == 1
    await waiting
    assert await evaluated(database) == 1
    [alert] = await stored(database)
    assert alert.value > 0
    assert alert.closed_at is not None


async def until_rows(database: Database, query: Any) -> None:
    async def found() -> bool:
        async with database.unrestricted().read() as session:
            return bool(await session.rows(without_row_rules(query)))

    await until(found)


async def test_each_provider_has_an_alert_of_its_own(
    endpoint: Endpoint, database: Database
) -> None:
    now = await database.now()
    for provider, cost in (("a", 5), ("b", 6), ("c", 1)):
        await make_ai_test(database, provider=provider, created_at=now, cost=cost)
    await make_alert_rule(
        database, name="Dear", kind="SPEND", spend_of="PROVIDER", threshold=2, event_type=None
    )
    await evaluated(database)
    nodes = (await endpoint.data(ALERTS))["alerts"]["nodes"]
    assert sorted((node["subject"], node["title"]) for node in nodes) == [
        ("a", "Dear of a: 5 > 2"),
        ("b", "Dear of b: 6 > 2"),
    ]


async def test_a_rule_that_fails_does_not_hold_up_others(database: Database) -> None:
    failing = await make_alert_rule(
        database, kind="METRIC", metric_name="load", aggregate="TOTAL", event_type=None
    )
    await make_alert_rule(database)
    await make_event(database, timestamp=await database.now())
    async with database.write() as session:
        await session.execute(text("alter table metric_sums rename to hidden_sums"))
    assert await evaluated(database) == 1
    async with database.read() as session:
        rules = await session.records(AlertRule, AlertRule.select())
    assert [rule.id for rule in rules if rule.failed_at is not None] == [failing.id]
    assert await evaluation.run_due(database) == 0
    async with database.write() as session:
        await session.execute(text("alter table hidden_sums rename to metric_sums"))
    await evaluated(database)
    async with database.read() as session:
        rules = await session.records(AlertRule, AlertRule.select())
    assert [rule.failed_at for rule in rules] == [None] * len(rules)


async def test_an_alert_is_acknowledged_once(endpoint: Endpoint, database: Database) -> None:
    creator = await make_user(database, role="OPERATOR")
    await make_alert_rule(database, created_by=creator.id)
    await make_event(database, timestamp=await database.now())
    await evaluated(database)
    [alert] = await stored(database)
    shown = "alert { acknowledgedAt acknowledgedBy { id } closedAt }"
    first = await endpoint.mutate("acknowledgeAlert", {"id": global_id(alert)}, shown)
    second = await endpoint.mutate("acknowledgeAlert", {"id": global_id(alert)}, shown)
    assert first == second
    assert first["acknowledgedBy"] == {"id": global_id(endpoint.user)}
    async with database.unrestricted().read() as session:
        kinds = select(Notification.kind).order_by(Notification.id)
        sent = [kind for (kind,) in await session.rows(kinds)]
    assert sent == ["ALERT_OPENED", "ALERT_ACKNOWLEDGED"]


async def test_deleting_a_rule_closes_its_alerts(endpoint: Endpoint, database: Database) -> None:
    rule = await make_alert_rule(database)
    await make_event(database, timestamp=await database.now())
    await evaluated(database)
    await endpoint.mutate("deleteAlertRule", {"id": global_id(rule)}, "deletedAlertRuleId")
    answer = await endpoint.data(ALERTS, {"filter": {"closedAt": {"isNull": False}}})
    assert answer["alerts"]["totalCount"] == 1
