"""Webhooks: signed messages about alerts, sent again until they are accepted."""

import ssl
from collections.abc import AsyncIterator
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import text, update

from db import Database
from db.alerts import AlertRule, evaluation
from db.webhooks import Webhook, WebhookDelivery
from gateway.settings import Settings
from gateway.webhooks.addresses import Destinations, Refused, is_public
from gateway.webhooks.delivery import DELAYS, Deliverer
from graph.core.types.node import global_id
from support.factories import make_alert_rule, make_event
from support.gateways import gateway, make_key, production, signed_in
from support.postgres_proxies import Authority
from support.receivers import Receiver, receiver as receiving

PEPPER = b"p" * 32
CREATE = """mutation ($input: CreateWebhookInput!) { createWebhook(input: $input) {
  webhook { id url version } secret errors { code field } } }"""
ROTATE = """mutation ($input: RotateWebhookSecretInput!) { rotateWebhookSecret(input: $input) {
  webhook { rotatedAt version } secret errors { code } } }"""
DELIVERIES = """{ webhookDeliveries { nodes { eventType attempts lastError deliveredAt failedAt
  webhook { name } } } }"""
UPDATE = """mutation ($input: UpdateAlertRuleInput!) { updateAlertRule(input: $input) {
  alertRule { webhook { id } } errors { code } } }"""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
def deliverer(database: Database, receiver: Receiver) -> Deliverer:
    return Deliverer(database, PEPPER, Destinations([receiver.place]))


class Hook:
    """A webhook that a rule sends to, made through HTTP."""

    def __init__(self, database: Database, made: Any) -> None:
        self.database = database
        self.id, self.secret = made["webhook"]["id"], made["secret"]

    async def fire(self) -> None:
        """Let a deployment open an alert of a new rule."""
        rule = await make_alert_rule(self.database)
        async with self.database.write() as session:
            [hook] = await session.records(Webhook, Webhook.select())
            values = {"webhook_id": hook.id}
            await session.execute(update(AlertRule).where(AlertRule.id == rule.id).values(values))
        await make_event(self.database, timestamp=await self.database.now())
        await evaluation.run_due(self.database)


@pytest.fixture
async def hook(database: Database, receiver: Receiver) -> Hook:
    return await hook_at(database, receiver)


async def hook_at(database: Database, receiver: Receiver) -> Hook:
    settings = production()
    key = await make_key(database, settings, scopes=["alerts:write", "alerts:read"])
    async with signed_in(gateway(settings, database), key.text) as send:
        input = {"name": "Hook", "url": receiver.url, "idempotencyKey": "k"}
        made = (await send(CREATE, input=input))["createWebhook"]
        assert made == (await send(CREATE, input=input))["createWebhook"]
    assert made["errors"] == []
    return Hook(database, made)


async def hour_passes(database: Database) -> None:
    """Let the time of each next attempt come."""
    async with database.write() as session:
        await session.execute(text("update procrastinate_jobs set scheduled_at = now()"))


async def test_a_message_is_signed_and_delivered_once(
    database: Database, receiver: Receiver, deliverer: Deliverer, hook: Hook
) -> None:
    await hook.fire()
    for _ in range(2):
        await deliverer.run_due()
    content = receiver.verified(hook.secret)
    assert content["type"] == "alert_opened"
    assert {"title", "value", "threshold", "alertId", "ruleId"} <= content["data"].keys()
    assert list(receiver.accepted.values()) == [1]
    async with database.write() as session:
        [delivery] = await session.records(WebhookDelivery, WebhookDelivery.select())
        jobs = await session.rows(text("select id from procrastinate_jobs"))
    assert receiver.accepted.keys() == {f"msg_{delivery.id.hex}"}
    assert [delivery.attempts, delivery.last_error, jobs] == [1, None, []]
    assert delivery.delivered_at is not None


async def test_a_receiver_that_is_down_for_an_hour_gets_each_alert_once(
    database: Database, receiver: Receiver, deliverer: Deliverer, hook: Hook
) -> None:
    receiver.status = 503
    for _ in range(3):
        await hook.fire()
    for _ in range(6):  # 53 minutes
        await deliverer.run_due()
        await deliverer.run_due()  # none is due before its time
        await hour_passes(database)
    assert sorted(receiver.attempts.values()) == [6, 6, 6]
    receiver.status = 200
    for _ in range(3):
        await deliverer.run_due()
        await hour_passes(database)
    assert sorted(receiver.attempts.values()) == [7, 7, 7]
    assert sorted(receiver.accepted.values()) == [1, 1, 1]


async def test_attempts_end_after_more_than_a_day(
    database: Database, receiver: Receiver, deliverer: Deliverer, hook: Hook
) -> None:
    assert timedelta(days=1) < sum(DELAYS, timedelta()) < timedelta(days=2)
    receiver.status = 500
    await hook.fire()
    for _ in range(len(DELAYS) + 3):
        await deliverer.run_due()
        await hour_passes(database)
    assert list(receiver.attempts.values()) == [len(DELAYS) + 1]
    async with database.write() as session:
        [delivery] = await session.records(WebhookDelivery, WebhookDelivery.select())
    assert delivery.failed_at is not None
    assert delivery.last_error == "The receiver answered with the status 500."


async def test_after_a_rotation_both_secrets_sign(
    database: Database, receiver: Receiver, deliverer: Deliverer, hook: Hook
) -> None:
    settings = production()
    key = await make_key(database, settings, scopes=["alerts:write", "alerts:read"])
    async with signed_in(gateway(settings, database), key.text) as send:
        rotated = (await send(ROTATE, input={"id": hook.id}))["rotateWebhookSecret"]
    assert rotated["secret"] != hook.secret
    await hook.fire()
    await deliverer.run_due()
    assert receiver.verified(hook.secret) == receiver.verified(rotated["secret"])
    async with database.write() as session:
        earlier = {"rotated_at": Webhook.rotated_at - timedelta(hours=25)}
        await session.execute(update(Webhook).values(earlier))
    await hook.fire()
    await deliverer.run_due()
    receiver.verified(rotated["secret"])
    with pytest.raises(Exception, match="No matching signature"):
        receiver.verified(hook.secret)


async def test_redirects_are_not_followed_and_answers_are_bounded(
    database: Database, receiver: Receiver, deliverer: Deliverer, hook: Hook
) -> None:
    receiver.status = 302
    await hook.fire()
    await deliverer.run_due()
    async with database.write() as session:
        [delivery] = await session.records(WebhookDelivery, WebhookDelivery.select())
        assert delivery.last_error == "The receiver answered with the status 302."
        long = {"url": receiver.url.replace("hook", "long")}
        await session.execute(update(Webhook).values(long))
    await hour_passes(database)
    await deliverer.run_due()
    async with database.write() as session:
        [delivery] = await session.records(WebhookDelivery, WebhookDelivery.select())
    assert delivery.delivered_at is not None, delivery.last_error


async def test_loopback_is_refused_unless_it_is_named(
    database: Database, receiver: Receiver, hook: Hook
) -> None:
    await hook.fire()
    await Deliverer(database, PEPPER, Destinations()).run_due()
    async with database.write() as session:
        [delivery] = await session.records(WebhookDelivery, WebhookDelivery.select())
    assert [delivery.last_error, receiver.requests] == ["Only https is allowed.", []]


@pytest.mark.parametrize(
    ("host", "is_trusted", "error"),
    [
        ("localhost", True, None),
        ("localhost", False, "The receiver cannot be reached: ConnectError."),
        ("example.org", True, "The receiver cannot be reached: ConnectError."),
    ],
)
async def test_receivers_by_https_need_a_trusted_certificate_of_their_host(
    database: Database, tmp_path: Path, host: str, is_trusted: bool, error: str | None
) -> None:
    authority = Authority(tmp_path)
    trusted = ssl.create_default_context(cafile=authority.root) if is_trusted else None
    async with receiving(authority.issue("receiver", host=host)) as receiver:
        hook = await hook_at(database, receiver)
        await hook.fire()
        await Deliverer(database, PEPPER, Destinations([receiver.place]), trusted).run_due()
    async with database.write() as session:
        [delivery] = await session.records(WebhookDelivery, WebhookDelivery.select())
    assert [delivery.last_error, len(receiver.requests)] == [error, 1 if error is None else 0]
    if error is None:
        assert receiver.verified(hook.secret)["type"] == "alert_opened"


@pytest.mark.parametrize(
    "url",
    [
        *("https://127.0.0.1/", "https://10.0.0.1/", "https://[::1]/", "https://localhost/"),
        *("https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://0.0.0.0/"),
        *("https://2130706433/", "https://0x7f.1/", "https://[64:ff9b::a00:1]/"),
    ],
)
async def test_private_addresses_are_refused(url: str) -> None:
    with pytest.raises((Refused, OSError)):
        await Destinations(["127.0.0.1:9"]).checked(httpx2.URL(url))


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((each, False) for each in ("100.64.0.1", "192.168.1.1", "224.0.0.1", "255.255.255.255")),
        *(
            (each, False)
            for each in ("fe80::1", "fc00::1", "2002:a00:1::", "::ffff:127.0.0.1", "::")
        ),
        *((each, True) for each in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8")),
    ],
)
def test_only_public_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://example.org/",
            "ftp://example.org/",
            "https://",
            "example.org",
            "https://a:b@c.org/",
        ),
        *(
            "https://example.org/#x",
            "https://example.org:0/",
            "https://exämple.org/",
            "https://a b/",
        ),
        "https://example.org/" + "a" * 2_000,
    ],
)
async def test_only_https_urls_are_accepted(database: Database, url: str) -> None:
    settings = production()
    key = await make_key(database, settings, scopes=["alerts:write", "alerts:read"])
    async with signed_in(gateway(settings, database), key.text) as send:
        made = (await send(CREATE, input={"name": "Hook", "url": url}))["createWebhook"]
    assert made["errors"] == [{"code": "INVALID", "field": ["url"]}]


def test_production_names_its_loopback_addresses() -> None:
    assert production(webhook_loopback="127.0.0.1:9000").webhook_places == ("127.0.0.1:9000",)
    with pytest.raises(ValueError, match="DREAMNET_WEBHOOK_LOOPBACK"):
        production(webhook_loopback="any")
    with pytest.raises(ValueError, match="webhook_loopback"):
        production(webhook_loopback="10.0.0.1:80")
    assert Settings(_env_file=None, webhook_loopback="any").webhook_places == ("any",)


async def test_the_gateway_delivers(database: Database, receiver: Receiver) -> None:
    settings = production(webhook_loopback=receiver.place)
    key = await make_key(database, settings, scopes=["alerts:write", "alerts:read"])
    rule = await make_alert_rule(database)
    async with signed_in(gateway(settings, database), key.text) as send:
        made = (await send(CREATE, input={"name": "Hook", "url": receiver.url}))["createWebhook"]
        input = {"id": global_id(rule), "webhookId": made["webhook"]["id"]}
        assert (await send(UPDATE, input=input))["updateAlertRule"]["errors"] == []
        await make_event(database, timestamp=await database.now())
        await receiver.arrived.wait()
        [delivery] = (await send(DELIVERIES))["webhookDeliveries"]["nodes"]
    assert receiver.verified(made["secret"])["data"]["ruleId"] == str(rule.id)
    assert [delivery["eventType"], delivery["webhook"]] == ["alert_opened", {"name": "Hook"}]
