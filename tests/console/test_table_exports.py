"""Files: CSV and JSON contain all rows of a list, also those that the page does not show, or say
what they contain."""

import csv
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from playwright.async_api import Page
from sqlalchemy import insert, select

import db
from db import Database
from db.core.ids import uuid7
from gateway.settings import Settings
from support.console import browsing
from support.factories import make_dream
from support.running_gateway import serving
from support.stored_rows import execute, rows as stored

USERS = 1_005  # the API gives 1,000 at once
SERIES = 1_050  # the API gives 1,000 at once
EVENTS = 10_020  # a file has 10,000 at most


async def exported(page: Page, name: str, format: str) -> list[dict[str, Any]]:
    """The rows of a file of what has this name on the page."""
    async with page.expect_download(timeout=90_000) as saved:
        await page.get_by_role("button", name=f"Export {name}").click()
        await page.get_by_role("menuitem", name=format).click()
    content = await (await saved.value).path()
    if format == "JSON":
        found: list[dict[str, Any]] = orjson.loads(content.read_bytes())
        return found
    with content.open(newline="") as file:
        return list(csv.DictReader(file))


async def contents(page: Page, name: str) -> str:
    """What the menu says that files contain."""
    await page.get_by_role("button", name=f"Export {name}").click()
    text = await page.locator(".menu-list > :first-child").inner_text()
    await page.keyboard.press("Escape")
    return text


async def test_files_have_the_dreams_of_all_pages(imported: Database) -> None:
    titles = [title for (title,) in await stored(imported, select(db.dreams.Dream.title))]
    async with (
        serving(Settings(_env_file=None), imported) as served,
        browsing(served.address) as watched,
    ):
        page = watched.page
        await page.goto(f"{served.address}/console/dreams")
        await page.get_by_role("button", name="Show more").wait_for()
        assert await page.locator("tbody tr").count() == 50
        files = [
            await exported(page, f"{len(titles)} dreams", format) for format in ("CSV", "JSON")
        ]
        for file in files:
            assert sorted(row["Title"] for row in file) == sorted(titles)
        assert await page.locator("tbody tr").count() == 50


@pytest.fixture
async def page(database: Database) -> AsyncIterator[Page]:
    """A page of a gateway whose database has many users, series and events."""
    now = await database.now()
    metrics = [
        {"id": uuid7(now, str(number)), "timestamp": now, "metric_name": f"m{number}", "value": 1}
        for number in range(SERIES)
    ]
    events = [
        {
            "id": uuid7(at, str(number)),
            "timestamp": at,
            "event_type": f"e{number}",
            "source": "test",
            "severity": "INFO",
        }
        for number in range(EVENTS)
        for at in [now - timedelta(seconds=number / 10)]
    ]
    users = [
        {"id": uuid7(now, str(number)), "email": f"u{number}@example.org"}
        for number in range(USERS)
    ]
    dream = await make_dream(database)
    tests = [
        {
            "id": uuid7(now, user["email"]),
            "created_at": now,
            "user_id": user["id"],
            "dream_id": dream.id,
            "provider": "openai",
            "model": "gpt",
            "status": "COMPLETED",
            "cost": "0.01",
        }
        for user in users
    ]
    await execute(database, insert(db.users.User).values(users))
    await execute(database, insert(db.ai_tests.AiTest).values(tests))
    await execute(database, insert(db.metrics.Metric).values(metrics))
    for start in range(0, EVENTS, 5_000):
        await execute(database, insert(db.events.Event).values(events[start : start + 5_000]))
    async with (
        serving(Settings(_env_file=None), database) as served,
        browsing(served.address) as watched,
    ):
        await watched.page.goto(f"{served.address}/console/metrics")
        yield watched.page


async def test_files_of_many_rows_have_all_or_say_how_many(page: Page) -> None:
    await page.get_by_text("1 to 1,000 of all series").wait_for()
    assert await contents(page, "Metrics") == "All series, at most 10,000"
    for format in ("CSV", "JSON"):
        names = {row["Name"] for row in await exported(page, "Metrics", format)}
        assert names == {f"m{number}" for number in range(SERIES)}
    await page.get_by_label("Name contains").fill("m104")
    await page.get_by_label("Metrics, table").get_by_text("m104", exact=True).wait_for()
    names = {row["Name"] for row in await exported(page, "Metrics", "JSON")}
    assert names == {"m104", *(f"m104{digit}" for digit in range(10))}
    await page.get_by_role("link", name="Events").click()
    await page.get_by_role("button", name="Show more").wait_for()
    assert await contents(page, "Events") == "All events, at most 10,000"
    file = await exported(page, "Events", "CSV")
    assert [row["eventType"] for row in file] == [f"e{number}" for number in range(10_000)]
    await page.get_by_text("The file has the first 10,000 rows. Filter to get others.").wait_for()
    await page.get_by_role("link", name="Costs").click()
    await page.get_by_role("button", name="User", exact=True).click()
    await page.get_by_label("Spent", exact=True).get_by_text("$10.05").wait_for()
    file = await exported(page, "By user", "CSV")
    assert {row["User"] for row in file} == {f"u{number}@example.org" for number in range(USERS)}
