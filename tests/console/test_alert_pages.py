"""Alerts in a browser: rules, what they would have opened, live alerts, and webhooks; in production
with a key."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import orjson
import pytest
from playwright.async_api import Locator, Page
from sqlalchemy import func, update

from db import Database
from db.alerts import AlertRule, evaluation
from db.users import Role
from gateway.settings import Settings
from support.console import browsing, sign_in
from support.factories import make_alert, make_event, make_user, make_webhook_delivery
from support.gateways import make_key, production
from support.receivers import Receiver, receiver as receiving
from support.running_gateway import Served, serving
from support.wait import until

WITHOUT_KEY = "401 (Unauthorized)"  # Chromium's remark on the request before the key is entered
RULES = "{ alertRules { nodes { id name version isActive threshold } } }"
UPDATE = """mutation Update($input: UpdateAlertRuleInput!) {
  updateAlertRule(input: $input) { errors { message } } }"""


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
def settings(receiver: Receiver) -> Settings:
    return production(drain_seconds=0, spread_seconds=0, webhook_loopback=receiver.place)


@pytest.fixture
async def served(settings: Settings, database: Database) -> AsyncIterator[Served]:
    async with serving(settings, database) as served:
        yield served


@pytest.fixture
async def key(settings: Settings, database: Database) -> str:
    user = await make_user(database, role=Role.OPERATOR, email="ada@example.org")
    return (await make_key(database, settings, user_id=user.id)).text


@pytest.fixture
async def page(served: Served, key: str) -> AsyncIterator[Page]:
    """The rules, signed in as an operator; questions are answered with yes."""
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        watched.page.on("dialog", lambda dialog: dialog.accept())
        await watched.page.goto(f"{served.address}/console/alerts/rules")
        await sign_in(watched.page, key)
        yield watched.page


async def ask(served: Served, key: str, query: str, **variables: object) -> Any:
    async with httpx2.AsyncClient(timeout=20) as client:
        body = {"query": query, "variables": variables}
        headers = {"authorization": f"Bearer {key}"}
        answer = await client.post(f"{served.address}/graphql", json=body, headers=headers)
    assert "errors" not in answer.json(), answer.text
    return answer.json()["data"]


async def rule_named(served: Served, key: str, name: str) -> Any:
    found = (await ask(served, key, RULES))["alertRules"]["nodes"]
    return next((each for each in found if each["name"] == name), None)


async def evaluate(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(AlertRule).values(next_evaluation_at=func.now()))
    await evaluation.run_due(database)


def row(page: Page, text: str) -> Locator:
    return page.locator("main tbody tr", has_text=text)


async def open_part(page: Page, name: str) -> None:
    await page.get_by_label("Parts of Alerts").get_by_role("link", name=name).click()


async def write_rule(page: Page, name: str, threshold: str) -> None:
    await page.get_by_role("button", name="New rule").click()
    await page.get_by_label("Name", exact=True).fill(name)
    await page.get_by_label("Type of the events").fill("deployed")
    await page.get_by_label("Threshold").fill(threshold)


async def test_a_rule_is_previewed_created_changed_and_deleted(
    page: Page, served: Served, key: str, database: Database
) -> None:
    earlier = await database.now() - timedelta(minutes=2)
    for _ in range(2):
        await make_event(database, event_type="deployed", timestamp=earlier)
    await row(page, "came with").or_(row(page, "Budget")).first.wait_for()
    await write_rule(page, "Deployments", "9")
    await page.get_by_role("button", name="2 hours").click()
    await page.get_by_role("button", name="Preview").click()
    await page.get_by_text("It would not have opened an alert.").wait_for()
    await page.get_by_label("Threshold").fill("1")
    await page.get_by_role("button", name="Preview").click()
    await page.get_by_text("1 alert, evaluated every minute.").wait_for()
    shown = page.get_by_role("dialog").locator("tbody td")
    assert (await shown.all_inner_texts())[1:3] == ["Still open", "2"]
    await page.get_by_label("Minutes to look back").fill("0")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("alert").filter(has_text="1").first.wait_for()
    await page.get_by_label("Minutes to look back").fill("60")
    await page.get_by_role("button", name="Create").click()
    made = row(page, "Deployments")
    await made.get_by_text("> 1 in 1 h").wait_for()
    await made.get_by_role("button", name="Deployments").click()
    await page.get_by_label("Threshold").fill("3")
    rule = await rule_named(served, key, "Deployments")
    await ask(served, key, UPDATE, input={"id": rule["id"], "threshold": "2"})
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("opens an alert at “> 2 in 1 h” now").wait_for()
    await page.get_by_role("button", name="Replace it when I save").click()
    await page.get_by_role("button", name="Save", exact=True).click()
    await made.get_by_text("> 3 in 1 h").wait_for()
    assert (await rule_named(served, key, "Deployments"))["threshold"] == "3.000000"
    await made.get_by_role("button", name="Delete").click()
    await made.wait_for(state="detached")
    assert await rule_named(served, key, "Deployments") is None


async def test_alerts_are_shown_as_they_open_and_close(
    page: Page, served: Served, key: str, database: Database
) -> None:
    await make_event(database, event_type="deployed", timestamp=await database.now())
    await write_rule(page, "Deployments", "0")
    await page.get_by_role("button", name="Create").click()
    await row(page, "Deployments").wait_for()
    await page.get_by_role("link", name="Overview").click()
    await page.get_by_label("What needs attention").get_by_text("LIVE", exact=True).wait_for()
    await evaluate(database)
    card = page.get_by_label("What needs attention")
    await card.get_by_text("Deployments: 1 > 0").wait_for()
    await card.get_by_role("link", name="All alerts").click()
    alert = row(page, "Deployments: 1 > 0")
    await alert.get_by_text("OPEN", exact=True).wait_for()
    await page.get_by_label("State").select_option("OPEN")
    await alert.get_by_role("button", name="Acknowledge").click()
    await page.get_by_text("No alert is like this.").wait_for()
    await page.get_by_label("State").select_option("ACKNOWLEDGED")
    await alert.get_by_text("ada@example.org").wait_for()
    await page.get_by_label("State").select_option("All")
    rule = await rule_named(served, key, "Deployments")
    await ask(served, key, UPDATE, input={"id": rule["id"], "isActive": False})
    await alert.get_by_text("CLOSED", exact=True).wait_for()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Export Alerts").click()
        await page.get_by_role("menuitem", name="JSON").click()
    [entry] = orjson.loads((await (await saved.value).path()).read_bytes())
    assert (entry["State"], entry["Alert"], entry["By"]) == (
        "CLOSED",
        "Deployments: 1 > 0",
        "ada@example.org",
    )


async def test_a_webhook_gets_a_message_that_its_secret_verifies(
    page: Page, served: Served, key: str, database: Database, receiver: Receiver
) -> None:
    await open_part(page, "Webhooks")
    await page.get_by_role("button", name="New webhook").click()
    await page.get_by_label("Name", exact=True).fill("Pager")
    await page.get_by_label("Address").fill("http://example.org/hook")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("alert").filter(has_text="https").first.wait_for()
    await page.get_by_label("Address").fill(receiver.url)
    await page.get_by_role("button", name="Create").click()
    notice = page.get_by_role("status").filter(has_text="Copy the secret now")
    secret = await notice.locator("code").inner_text()
    await notice.get_by_role("button", name="Hide it").click()
    assert secret not in await page.content()
    await open_part(page, "Rules")
    await make_event(database, event_type="deployed", timestamp=await database.now())
    await write_rule(page, "Deployments", "0")
    await page.get_by_label("Webhook").select_option("Pager")
    await page.get_by_role("button", name="Create").click()
    await row(page, "Deployments").get_by_text("Pager").wait_for()
    await evaluate(database)
    await until(receiver.arrived.is_set)
    content = receiver.verified(secret)
    assert (content["type"], content["data"]["title"]) == ("alert_opened", "Deployments: 1 > 0")
    await make_webhook_delivery(database)
    await open_part(page, "Deliveries")
    await row(page, "Hook").get_by_text("WAITING").wait_for()
    await page.get_by_label("Webhook").select_option("Pager")
    await row(page, "Hook").wait_for(state="detached")
    await row(page, "Pager").get_by_text("DELIVERED").wait_for()
    assert await page.locator("main tbody tr").count() == 1
    await row(page, "Pager").get_by_role("button").click()
    await page.get_by_role("dialog").get_by_text("Deployments: 1 > 0").wait_for()
    await page.get_by_role("button", name="Close").click()
    await open_part(page, "Webhooks")
    await row(page, "Pager").get_by_role("button", name="Rotate secret").click()
    await page.get_by_text("Copy the secret now").wait_for()
    assert secret not in await page.content()
    await row(page, "Pager").get_by_role("button", name="Delete").click()
    await row(page, "Pager").wait_for(state="detached")


async def test_all_pages_of_alerts_are_exported(page: Page, database: Database) -> None:
    for _ in range(60):
        await make_alert(database)
    await open_part(page, "Alerts")
    await page.get_by_role("button", name="Show more").wait_for()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Export Alerts").click()
        await page.get_by_role("menuitem", name="CSV").click()
    lines = (await (await saved.value).path()).read_text().splitlines()
    assert len(lines) == 61
