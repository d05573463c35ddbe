"""Administration in a browser: keys, users, settings and flags, in production with a key."""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import httpx2
import orjson
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page

from db import Database
from db.users import Role
from gateway.settings import Settings
from support.console import browsing, sign_in
from support.databases import create_database, drop_database
from support.factories import make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.wait import until

pytestmark = pytest.mark.asyncio(loop_scope="module")
module_fixture = partial(pytest_asyncio.fixture, loop_scope="module")

WITHOUT_KEY = "401 (Unauthorized)"  # Chromium's remark on the request before the key is entered
SET = """mutation Set($input: SetConfigInput!) {
  setConfig(input: $input) { configEntry { version } errors { message } } }"""
SET_BUDGET = """mutation Set($input: SetMonthlyBudgetInput!) {
  setMonthlyBudget(input: $input) { errors { message } } }"""
STORED = '{ config(key: "limit") { value version } }'


@pytest.fixture(scope="module")
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0)


@module_fixture(scope="module")
async def database(server_url: str, template_url: str) -> AsyncIterator[Database]:
    """A database that the tests of this module share: each writes rows of its own."""
    url = await create_database(server_url, template_url)
    database = Database(url)
    yield database
    await database.close()
    await drop_database(server_url, url)


@module_fixture(scope="module")
async def served(settings: Settings, database: Database) -> AsyncIterator[Served]:
    async with serving(settings, database) as served:
        yield served


@module_fixture(scope="module")
async def key(settings: Settings, database: Database) -> str:
    """The key of an administrator."""
    user = await make_user(database, role=Role.ADMIN, email="admin@example.org")
    return (await make_key(database, settings, user_id=user.id)).text


@module_fixture()
async def page(served: Served, key: str, browser: Browser) -> AsyncIterator[Page]:
    """The console, signed in; questions are answered with yes."""
    async with browsing(served.address, [WITHOUT_KEY], browser=browser) as watched:
        watched.page.on("dialog", lambda dialog: dialog.accept())
        await watched.page.goto(f"{served.address}/console/admin")
        await sign_in(watched.page, key)
        yield watched.page


async def ask(served: Served, key: str, query: str, **variables: object) -> Any:
    """The whole answer of the API."""
    async with httpx2.AsyncClient(timeout=20) as client:
        body = {"query": query, "variables": variables}
        headers = {"authorization": f"Bearer {key}"}
        return (await client.post(f"{served.address}/graphql", json=body, headers=headers)).json()


async def is_valid(served: Served, key: str) -> bool:
    answer = await ask(served, key, "{ viewer { role } }")
    return "errors" not in answer


async def has_count(locator: Locator, count: int) -> bool:
    return await locator.count() == count


async def is_refused(served: Served, key: str) -> bool:
    return not await is_valid(served, key)


def row(page: Page, text: str) -> Locator:
    return page.locator("tbody tr", has_text=text)


async def open_part(page: Page, name: str) -> None:
    await page.get_by_label("Parts of Admin").get_by_role("link", name=name).click()


async def shown_secret(page: Page) -> str:
    notice = page.get_by_role("status").filter(has_text="Copy the key now")
    secret = await notice.locator("code").inner_text()
    await notice.get_by_role("button", name="Hide it").click()
    return secret


async def test_a_key_is_created_rotated_and_revoked(page: Page, served: Served) -> None:
    await page.get_by_role("button", name="New key").click()
    await page.get_by_label("Service that uses it").fill("crawler")
    await page.get_by_label("Scopes").fill("tests:unheard-of")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("alert").filter(has_text="scope").wait_for()
    await page.get_by_label("Scopes").fill("dreams:read")
    await page.get_by_role("button", name="Create").click()
    first = await shown_secret(page)
    assert await is_valid(served, first)
    await row(page, "crawler").get_by_role("button", name="Rotate").click()
    second = await shown_secret(page)
    assert second != first
    assert await is_valid(served, second)
    prefixes = await row(page, "crawler").locator("code").all_inner_texts()
    [prefix] = [each for each in prefixes if each in second]
    await row(page, prefix).get_by_role("button", name="Revoke").click()
    await row(page, prefix).get_by_text("REVOKED").wait_for()
    await until(lambda: is_refused(served, second))


async def test_a_user_is_created_promoted_and_disabled(
    page: Page, served: Served, key: str
) -> None:
    await open_part(page, "Users")
    await page.get_by_role("button", name="New user").click()
    await page.get_by_label("E-mail", exact=True).fill("admin@example.org")
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("dialog").get_by_role("alert").filter(has_text=".").wait_for()
    await page.get_by_label("E-mail", exact=True).fill("ada@example.org")
    await page.get_by_role("button", name="Create").click()
    ada = row(page, "ada@example.org")
    async with page.expect_response(lambda each: "SetRole" in (each.request.post_data or "")):
        await ada.get_by_label("Role").select_option("OPERATOR")
    await ada.get_by_role("button", name="Disable").click()
    await ada.get_by_text("DISABLED").wait_for()
    await ada.get_by_role("button", name="Enable").click()
    await ada.get_by_text("ACTIVE").wait_for()
    found = await ask(served, key, '{ user(email: "ada@example.org") { role disabledAt } }')
    assert found["data"]["user"] == {"role": "OPERATOR", "disabledAt": None}


async def test_a_conflict_of_settings_is_shown_and_resolved(
    page: Page, served: Served, key: str
) -> None:
    await open_part(page, "Settings")
    await page.get_by_role("button", name="New setting").click()
    await page.get_by_label("Key", exact=True).fill("limit")
    await page.get_by_label("Value, as JSON or text").fill("1")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("button", name="limit").click()
    await page.get_by_label("Value, as JSON or text").fill("2")
    meanwhile = await ask(served, key, SET, input={"key": "limit", "value": 7})
    assert meanwhile["data"]["setConfig"]["configEntry"]["version"] == 2
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text(
        "Somebody changed it meanwhile: the value is 7 now (version 2)"
    ).wait_for()
    assert (await ask(served, key, STORED))["data"]["config"] == {"value": 7, "version": 2}
    await page.get_by_role("button", name="Replace it when I save").click()
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("dialog").wait_for(state="detached")
    assert (await ask(served, key, STORED))["data"]["config"] == {"value": 2, "version": 3}
    await open_part(page, "Audit trail")
    await page.get_by_label("Operation").select_option("setConfig")
    await until(lambda: has_count(page.locator("tbody tr"), 3))
    await row(page, "setConfig").first.get_by_role("button").first.click()
    changed = page.get_by_role("dialog").locator("tr", has_text="version")
    assert await changed.locator("td").all_inner_texts() == ["version", "2", "3"]
    await page.get_by_role("button", name="Close").click()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Export Audit trail").click()
        await page.get_by_role("menuitem", name="JSON").click()
    entries = orjson.loads((await (await saved.value).path()).read_bytes())
    assert [each["After"]["version"] for each in entries] == [3, 2, 1]
    assert [each["Who"] for each in entries] == ["admin@example.org"] * 3


async def test_a_budget_is_set_unless_it_was_changed_meanwhile(
    page: Page, served: Served, key: str
) -> None:
    await open_part(page, "Users")
    await row(page, "admin@example.org").get_by_role("button", name="Budget").click()
    budget = page.get_by_label("US dollars a month")
    await budget.fill("-1")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("alert").filter(has_text="0").first.wait_for()
    await budget.fill("12.5")
    me = (await ask(served, key, "{ viewer { user { id } } }"))["data"]["viewer"]["user"]["id"]
    meanwhile = await ask(served, key, SET_BUDGET, input={"id": me, "monthlyBudget": "7"})
    assert meanwhile["data"]["setMonthlyBudget"]["errors"] == []
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("Somebody changed it meanwhile: the budget is $7.00 now.").wait_for()
    await page.get_by_role("button", name="Replace it when I save").click()
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("dialog").wait_for(state="detached")
    await row(page, "admin@example.org").get_by_text("$12.50").wait_for()
    stored = await ask(served, key, "{ myUsage { budget { limit } } }")
    assert stored["data"]["myUsage"]["budget"] == {"limit": "12.500000"}


async def test_a_flag_is_created_and_turned_on(page: Page, served: Served, key: str) -> None:
    await open_part(page, "Flags")
    await page.get_by_role("button", name="New flag").click()
    await page.get_by_label("Key", exact=True).fill("new-scores")
    await page.get_by_label("Rollout").fill("25")
    await page.get_by_role("button", name="Create").click()
    await row(page, "new-scores").get_by_role("button", name="Turn on").click()
    await row(page, "new-scores").get_by_text("ON", exact=True).wait_for()
    flag = '{ featureFlag(key: "new-scores") { enabled rolloutPercent } }'
    answer = await ask(served, key, flag)
    assert answer["data"]["featureFlag"] == {"enabled": True, "rolloutPercent": 25}


async def test_search_finds_and_opens_by_keyboard(page: Page, database: Database) -> None:
    await make_user(database, email="grace@example.org")
    await page.keyboard.press("/")
    await page.get_by_role("combobox", name="Search").fill("grace")
    await page.get_by_role("option", name="grace@example.org").wait_for()
    await page.keyboard.press("Enter")
    await row(page, "grace@example.org").wait_for()
    assert "email=grace%40example.org" in page.url
    assert await page.get_by_role("dialog").count() == 0
    await page.keyboard.press("Control+k")
    await page.get_by_role("combobox", name="Search").fill("nobody at all")
    await page.get_by_text("Nothing is called like this.").wait_for()
    await page.keyboard.press("Escape")
    await until(lambda: has_count(page.get_by_role("dialog"), 0))
