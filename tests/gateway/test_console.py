"""The console page: self-contained, and working in a real browser."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest
from playwright.async_api import Page

from db import Database
from support.browser import chromium
from support.factories import make_agent, make_ai_test

REFUSED = "the server responded with a status of 400"  # Chromium's remark on a wrong query

FILES = {
    "/graphiql": "text/html; charset=utf-8",
    "/graphiql/console.js": "text/javascript; charset=utf-8",
    "/graphiql/console.css": "text/css; charset=utf-8",
    "/graphiql/icon.svg": "image/svg+xml",
}


@pytest.mark.parametrize("path", FILES)
async def test_files_need_nothing_from_elsewhere(client: httpx2.AsyncClient, path: str) -> None:
    response = await client.get(path)
    assert (response.status_code, response.headers["content-type"]) == (200, FILES[path])
    assert response.headers["content-security-policy"].startswith("default-src 'self'; ")
    assert response.headers["x-content-type-options"] == "nosniff"
    addresses = set(re.findall(r"https?://[^\s\"']+", response.text))
    assert addresses <= {"http://www.w3.org/2000/svg"}


@pytest.fixture
async def page(address: str, database: Database) -> AsyncIterator[Page]:
    """The console in Chromium, over a few rows, its schema loaded; nothing may go wrong in it."""
    await make_ai_test(database)
    await make_agent(database, last_active=datetime.now(UTC))
    problems: list[str] = []
    async with chromium() as browser:
        page = await browser.new_page()
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"{address}/graphiql")
        await page.wait_for_selector("#schema section")
        yield page
    assert [problem for problem in problems if REFUSED not in problem] == []


async def test_everything_a_visitor_does(page: Page) -> None:
    await _runs_every_example(page)
    await _shows_what_is_wrong(page)
    await _edits_like_an_editor(page)
    await _browses_the_schema(page)
    await _keeps_the_query(page)


WATCH = "Watch agents"


async def test_a_subscription_is_followed_until_it_is_stopped(
    page: Page, address: str, database: Database
) -> None:
    await page.select_option("#examples", WATCH)
    await page.click("#run")
    await page.wait_for_selector("#status:text('1 message')")
    assert '"SNAPSHOT"' in await page.inner_text("#answer")
    async with httpx2.AsyncClient(timeout=20) as client:
        report = (
            'mutation { reportAgentStatus(input: {agentKey: "new", status: ERROR}) { __typename } }'
        )
        await client.post(f"{address}/graphql", json={"query": report})
    await page.wait_for_selector("#answer:has-text('\"new\"')")
    assert '"UPDATE"' in await page.inner_text("#answer")
    await page.click("#run:has-text('Stop')")
    await page.wait_for_selector("#status:text('Stopped.')")
    assert (await page.inner_text("#run")).startswith("Run")


async def _runs_every_example(page: Page) -> None:
    examples = await page.locator("#examples option").all_inner_texts()
    for name in set(examples) - {WATCH}:
        await page.select_option("#examples", name)
        await page.keyboard.press("Control+Enter")
        status = page.locator("#status.good")
        await status.wait_for()
        assert re.fullmatch(r"200 · \d+ ms", await status.inner_text()), name
        assert '"data"' in await page.inner_text("#answer")
        await page.evaluate("show('', '')")


async def _shows_what_is_wrong(page: Page) -> None:
    await page.fill("#query", "{ dreams")
    await page.fill("#variables", "")
    await page.click("#run")
    await page.wait_for_selector("#status.bad")
    assert "Syntax Error" in await page.inner_text("#answer")
    await page.fill("#variables", "{")
    await page.click("#run")
    assert await page.inner_text("#status") == "The variables are not JSON."
    await page.fill("#variables", "")


async def _edits_like_an_editor(page: Page) -> None:
    await page.fill("#query", "")
    await page.press("#query", "Tab")
    await page.keyboard.type("{")
    await page.keyboard.press("Enter")
    await page.keyboard.type("viewer")
    assert await page.input_value("#query") == "  {\n    viewer"
    await page.keyboard.press("Shift+Tab")
    assert await page.input_value("#query") == "  {\n  viewer"
    await page.keyboard.press("Escape")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.id") == "variables"


async def _browses_the_schema(page: Page) -> None:
    await page.fill("#search", "impossibilityscore")
    await page.click("#schema button:has-text('AiTest') >> nth=0")
    assert await page.locator("#schema code", has_text="impossibilityScore").count() >= 1
    await page.click("#trail button")
    assert "types" in await page.inner_text("#schema h3")


async def _keeps_the_query(page: Page) -> None:
    await page.fill("#query", "{ __typename }")
    await page.reload()
    assert await page.input_value("#query") == "{ __typename }"
    await page.goto(f"{page.url}?query={{viewer}}")
    assert await page.input_value("#query") == "{viewer}"
    await page.wait_for_selector("#schema section")
