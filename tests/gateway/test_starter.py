"""examples/starter: built, and used in a browser from another origin."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import httpx2
from playwright.async_api import Page, expect

import db
from db import Database
from gateway.settings import Settings
from support.browser import chromium
from support.client_processes import clients_installed
from support.factories import make_agent, make_dream
from support.nodejs import TESTS, installed, run
from support.running_gateway import serving
from support.vite import vite

STARTER = TESTS.parent / "examples" / "starter"
MOST_LINES = 200
SHORT = "This text must have 1 to 200 characters."
REPORT = """mutation {
  reportAgentStatus(input: {agentKey: "agent-3", status: ERROR}) { storedId }
}"""
CONFLICT = "The current version is 3. Read it again before retrying."


def test_it_is_small() -> None:
    sources = (*STARTER.glob("src/*.ts"), *STARTER.glob("src/*.tsx"))

    assert sum(len(each.read_text().splitlines()) for each in sources) <= MOST_LINES


async def built(folder: Path, gateway: str) -> Path:
    """The page for a gateway, with checked types."""
    await clients_installed()  # builds @dreamnet/live
    await installed(STARTER)
    ignored = shutil.ignore_patterns("node_modules", "gql", "dist")
    project = shutil.copytree(STARTER, folder / "starter", ignore=ignored)
    (project / "node_modules").symlink_to(STARTER / "node_modules")
    variables = {"SCHEMA": str(TESTS.parent / "schema.graphql"), "VITE_GATEWAY": gateway}
    with_variables = tuple(f"{name}={value}" for name, value in variables.items())
    await run("/usr/bin/env", *with_variables, "npm", "run", "build", folder=project)
    return project


async def page_and_filter(page: Page) -> None:
    rows = page.locator("li")
    await expect(rows).to_have_count(10)
    await page.get_by_role("button", name="More").click()
    await expect(rows).to_have_count(13)
    await page.get_by_label("Category").select_option("MATH")
    await expect(rows).to_have_text(["Count sheepMATH · ACTIVE"])


async def edit(page: Page, database: Database, dream: db.dreams.Dream) -> None:
    title, save = page.get_by_label("Title"), page.get_by_role("button", name="Save")
    await page.get_by_role("link", name="Count sheep").click()
    await title.fill("")
    await save.click()
    await expect(page.get_by_role("alert")).to_have_text(SHORT)
    await title.fill("Count goats")
    await save.click()
    await expect(page.get_by_role("status")).to_have_text("Saved.")
    await expect(page.get_by_role("heading")).to_have_text("Count goats")
    await expect(page.get_by_role("alert")).to_have_count(0)

    async with database.write() as session:
        edited = await session.record(
            db.dreams.Dream, db.dreams.Dream.select().where(db.dreams.Dream.id == dream.id)
        )
        assert edited
        await db.dreams.edit(session, edited, title="Count geese")
    await title.fill("Count ducks")
    await save.click()
    await expect(page.get_by_role("alert")).to_have_text(CONFLICT)


async def follow(page: Page, gateway: str) -> None:
    await page.get_by_role("link", name="Fleet").click()
    await expect(page.locator("h1")).to_have_text("Fleet live")
    await expect(page.locator(".fleet li")).to_have_text(["agent-1 RUNNING", "agent-2 RUNNING"])
    async with httpx2.AsyncClient(timeout=20) as client:
        await client.post(f"{gateway}/graphql", json={"query": REPORT})
    await expect(page.locator(".fleet li.ERROR")).to_have_text(["agent-3 ERROR"])


async def picture(page: Page, name: str) -> None:
    """Keep a picture, to look at, in the folder SCREENSHOTS."""
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=f"{folder}/{name}.png")


async def test_three_screens_from_another_origin(database: Database, tmp_path: Path) -> None:
    for number in range(12):
        await make_dream(database, title=f"Dream {number:02}", category="OTHER", is_public=True)
    dream = await make_dream(database, title="Count sheep", category="MATH", is_public=True)
    for number in (1, 2):
        at = datetime.now(UTC)
        await make_agent(database, agent_key=f"agent-{number}", status="RUNNING", last_active=at)
    settings = Settings(_env_file=None, cors_origins="http://127.0.0.1:*")

    async with serving(settings, database) as served:
        project = await built(tmp_path, served.address)
        async with vite(project, "preview") as address, chromium() as browser:
            page = await browser.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.goto(address)
            await page_and_filter(page)
            await picture(page, "list")
            await edit(page, database, dream)
            await picture(page, "detail")
            await follow(page, served.address)
            await picture(page, "fleet")
            assert complaints == []
            await page.close()
