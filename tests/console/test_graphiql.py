"""GraphiQL: operations of every kind, with a key in production, beside their cost."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from playwright.async_api import Page

from db import Database
from db.users import Role
from gateway.settings import Settings
from support.console import Watched, browsing
from support.factories import make_ai_test, make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.wait import until

QUERY = "query Titles { dreams { nodes { title } } }"  # a name that is in no other
REPORT = (
    'mutation Report { reportAgentStatus(input: { agentKey: "prover", status: RUNNING }) '
    "{ storedId errors { message } } }"
)
WATCH = "subscription Watch { agentStatus { kind cursor agents { key status } } }"
WITHOUT_KEY = "401 (Unauthorized)"  # Chromium's remark on the requests before the key is entered


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0)


@pytest.fixture
async def served(settings: Settings, database: Database) -> AsyncIterator[Served]:
    await make_ai_test(database)
    async with serving(settings, database) as served:
        yield served


@pytest.fixture
async def key(settings: Settings, database: Database) -> str:
    """The key of an administrator."""
    user = await make_user(database, role=Role.ADMIN)
    return (await make_key(database, settings, user_id=user.id)).text


@pytest.fixture
async def watched(served: Served, key: str) -> AsyncIterator[Watched]:
    """GraphiQL of a gateway in production, with a key and the schema: without it, GraphiQL does not
    read the names of operations."""
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        page = watched.page
        await page.goto(f"{served.address}/graphiql")
        await page.get_by_label("API key or access token").fill(key)
        await page.get_by_role("button", name="Use it").click()
        await page.get_by_text("Signed in with a key").wait_for()
        await page.get_by_role("button", name="Show Documentation Explorer").click()
        await page.get_by_text("Root Types").wait_for()
        await page.get_by_role("button", name="Hide Documentation Explorer").click()
        yield watched


async def write(page: Page, operation: str) -> None:
    """Replace the operation in the editor, at once: typed letters would bring completions."""
    editor = page.locator(".graphiql-query-editor .monaco-editor").first
    await editor.wait_for()
    await editor.click()
    await page.keyboard.press("Control+A")
    await page.keyboard.insert_text(operation)


async def answer(page: Page) -> str:
    text: str = await page.evaluate(
        "document.querySelector('.result-window .view-lines')?.innerText ?? ''"
    )
    return text.replace("\xa0", " ")


async def answered(page: Page, *parts: str) -> None:
    async def has_parts() -> bool:
        text = await answer(page)
        return all(part in text for part in parts)

    await until(has_parts)


async def run(page: Page, operation: str, *parts: str) -> None:
    """Run an operation when GraphiQL has read its name."""
    await write(page, operation)
    await page.get_by_role("tab", name=operation.split()[1]).wait_for()
    await page.get_by_role("button", name="Execute query").click()
    await answered(page, *parts)


async def test_operations_of_every_kind_run_with_a_key(watched: Watched, key: str) -> None:
    page = watched.page
    await run(page, QUERY, '"dreams"', '"title"')
    await page.get_by_text("Status 200").wait_for()
    await page.get_by_text("points left this minute").wait_for()
    await run(page, WATCH, '"SNAPSHOT"')
    await page.get_by_text("Subscriptions: connected").wait_for()
    await report(watched.address, key)
    await answered(page, '"UPDATE"', '"prover"')
    await page.get_by_text("2 messages, newest first").wait_for()
    await page.get_by_role("button", name="Stop query").click()
    await run(page, REPORT, '"storedId"', '"errors": []')


async def report(address: str, key: str) -> None:
    async with httpx2.AsyncClient(timeout=20) as client:
        headers = {"authorization": f"Bearer {key}"}
        answer = await client.post(f"{address}/graphql", json={"query": REPORT}, headers=headers)
    assert "errors" not in answer.json()


async def test_an_example_opens_in_a_new_tab(watched: Watched) -> None:
    page = watched.page
    await write(page, "{ viewer { role } }")
    await page.get_by_role("button", name="Show Examples").click()
    await page.get_by_role("button", name="Watch agents").click()
    tabs = page.get_by_role("tab")
    await until(lambda: _count(tabs, 2))
    assert "subscription WatchAgents" in await text_of(page)
    await tabs.first.click()
    await until(lambda: _has(page, "viewer"))


async def _count(locator: Any, number: int) -> bool:
    return bool(await locator.count() == number)


async def _has(page: Page, part: str) -> bool:
    return part in await text_of(page)


async def text_of(page: Page) -> str:
    text: str = await page.evaluate(
        "document.querySelector('.graphiql-query-editor .view-lines').innerText"
    )
    return text.replace("\xa0", " ")


async def test_administrators_see_the_statements(watched: Watched) -> None:
    page = watched.page
    await page.get_by_label("Statements").select_option("Shown")
    await run(page, QUERY, '"title"')
    await (
        page.get_by_text("statements, by plan")
        .or_(page.get_by_text("statements, by core"))
        .wait_for()
    )
    assert "FROM dreams" in await page.locator(".last pre").first.inner_text()
    assert await page.get_by_label("Plan", exact=True).count() == 0
    await page.get_by_label("Statements").select_option("With their plans")
    await page.get_by_role("button", name="Execute query").click()
    await page.get_by_label("Plan", exact=True).first.wait_for()
    assert "on dreams" in await page.get_by_label("Plan", exact=True).first.inner_text()


async def test_the_explorer_adds_a_field(watched: Watched) -> None:
    page = watched.page
    await write(page, "query Dreams { dreams { totalCount } }")
    await page.get_by_role("button", name="Show GraphiQL Explorer").click()
    explorer = page.locator(".docExplorerWrap, .graphiql-explorer-root").first
    await explorer.get_by_text("nodes", exact=True).first.click()
    await until(lambda: _has(page, "nodes"))
    await explorer.get_by_text("title", exact=True).first.click()
    await until(lambda: _has(page, "title"))
    await page.get_by_role("button", name="Execute query").click()
    await answered(page, '"nodes"', '"title"', '"totalCount"')


async def test_a_link_opens_an_operation(served: Served) -> None:
    link = f"{served.address}/graphiql?query={quote('{ rateLimit { cost } }')}"
    async with browsing(served.address, ignored=[WITHOUT_KEY]) as watched:
        await watched.page.goto(link)
        await watched.page.locator(".graphiql-query-editor .view-lines").wait_for()
        await until(lambda: _has(watched.page, "rateLimit"))
