"""The console and GraphiQL by keyboard alone: nothing is out of reach, and focus is always seen."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Locator, Page

from db import Database
from db.users import Role
from gateway.settings import Settings
from support.console import browsing
from support.factories import make_agent, make_ai_test, make_event, make_metric, make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.wait import until

WITHOUT_KEY = "401 (Unauthorized)"  # Chromium's remark on the request before the key is entered
MOST_STEPS = 60  # with Tab, from one place to another
FOCUS = """() => {
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(document.activeElement);
  const isPale = outlineColor.startsWith("rgba");
  const isSeen = outlineStyle === "solid" && parseFloat(outlineWidth) >= 2 && !isPale;
  return [isSeen, document.activeElement.outerHTML.slice(0, 200)];
}"""
SECTIONS = ["Agents", "Dreams", "Models", "Events", "Alerts", "Metrics", "Costs", "Admin"]


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0)


@pytest.fixture
async def served(settings: Settings, database: Database) -> AsyncIterator[Served]:
    now = await database.now()
    await make_ai_test(database, model="prover", created_at=now)
    await make_agent(database)
    await make_event(database, timestamp=now)
    for name in ("memory", "cpu"):
        await make_metric(database, metric_name=name, timestamp=now)
    async with serving(settings, database) as served:
        yield served


@pytest.fixture
async def key(settings: Settings, database: Database) -> str:
    user = await make_user(database, role=Role.ADMIN)
    return (await make_key(database, settings, user_id=user.id)).text


async def is_focused(target: Locator) -> bool:
    return bool(await target.evaluate("each => each === document.activeElement"))


async def step_to(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press the key until the target has focus; each stop on the way is seen."""
    await target.wait_for()
    for _ in range(MOST_STEPS):
        await page.keyboard.press(key)
        is_seen, element = await page.evaluate(FOCUS)
        assert is_seen, element
        if await is_focused(target):
            return
    raise AssertionError(f"{target} is out of reach; {element} has focus")


async def open_section(page: Page, name: str) -> None:
    await step_to(page, page.locator("nav.menu").get_by_role("link", name=name), "Shift+Tab")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name=name, level=1).wait_for()
    await until(lambda: is_focused(page.locator("main")))


async def test_all_of_the_console_is_within_reach(served: Served, key: str) -> None:
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        page = watched.page
        await page.goto(f"{served.address}/console")
        await until(lambda: is_focused(page.get_by_label("API key or access token")))
        await page.keyboard.insert_text(key)
        await page.keyboard.press("Enter")
        await page.locator("nav.menu").wait_for()
        await until(lambda: is_focused(page.locator("main")))
        for name in SECTIONS:
            await open_section(page, name)
        await leaves_a_drawer(page)
        await sorts_and_exports(page)
        await searches(page)


async def leaves_a_drawer(page: Page) -> None:
    await open_section(page, "Dreams")
    await step_to(page, page.locator("tbody a").first)
    await page.keyboard.press("Enter")
    opener = page.get_by_label("Tests, table").locator("tbody button")
    await step_to(page, opener)
    drawer = page.get_by_role("dialog")
    for end in ("Escape", "Enter"):  # on the button that closes it
        await page.keyboard.press("Enter")
        await drawer.get_by_text("prover").first.wait_for()
        await until(lambda: is_focused(drawer.get_by_role("button", name="Close")))
        await page.keyboard.press(end)
        await drawer.wait_for(state="detached")
        await until(lambda: is_focused(opener))


async def sorts_and_exports(page: Page) -> None:
    await open_section(page, "Metrics")
    table = page.get_by_label("Metrics, table")
    await table.locator("tbody tr").nth(1).wait_for()
    assert await table.locator("tbody tr td:first-child").all_inner_texts() == ["cpu", "memory"]
    await step_to(page, table.get_by_role("button", name="Name"))
    for _ in range(2):
        await page.keyboard.press("Enter")
    await table.locator("th[aria-sort=descending]").wait_for()
    assert await table.locator("tbody tr td:first-child").all_inner_texts() == ["memory", "cpu"]
    menu = page.get_by_role("button", name="Export Metrics")
    await step_to(page, menu, "Shift+Tab")
    await page.keyboard.press("Enter")
    await until(lambda: is_focused(page.get_by_role("menuitem", name="CSV")))
    assert (await page.evaluate(FOCUS))[0]
    await page.keyboard.press("Escape")
    await until(lambda: is_focused(menu))
    await page.keyboard.press("Enter")
    await page.keyboard.press("ArrowDown")
    await until(lambda: is_focused(page.get_by_role("menuitem", name="JSON")))
    async with page.expect_download() as saved:
        await page.keyboard.press("Enter")
    assert (await saved.value).suggested_filename == "metrics.json"


async def searches(page: Page) -> None:
    button = page.get_by_role("button", name="Search")
    await step_to(page, button, "Shift+Tab")
    await page.keyboard.press("Enter")
    field = page.get_by_role("combobox")
    await until(lambda: is_focused(field))
    assert (await page.evaluate(FOCUS))[0]
    await page.keyboard.press("Escape")
    await until(lambda: is_focused(button))


async def test_graphiql_runs_an_operation_by_keyboard(served: Served, key: str) -> None:
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        page = watched.page
        await page.goto(f"{served.address}/graphiql")
        await page.get_by_text("LatestDreams").first.wait_for()
        await step_to(page, page.get_by_label("API key or access token"))
        await page.keyboard.insert_text(key)
        await page.keyboard.press("Enter")
        await page.get_by_text("Signed in with a key").wait_for()
        editor = page.locator(".graphiql-query-editor .graphiql-editor").first
        await step_to(page, editor)
        await page.keyboard.press("Enter")
        await page.keyboard.press("Control+A")
        await page.keyboard.insert_text("query Names { metricSummary { rows { metricName } } }")
        await page.get_by_role("tab", name="Names").wait_for()
        for _ in range(3):  # the first may close a list of completions
            await page.keyboard.press("Escape")
        await until(lambda: is_focused(editor))
        await step_to(page, page.get_by_role("button", name="Execute query"))
        await page.keyboard.press("Enter")
        await page.get_by_text("Status 200").wait_for()
        await page.locator(".result-window").get_by_text("memory").wait_for()
