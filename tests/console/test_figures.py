"""Figures: counts in menus, the time that has data, and budgets, against rows of known numbers."""

from collections.abc import AsyncIterator
from datetime import timedelta

import orjson
import pytest
from playwright.async_api import Locator

from db import Database
from gateway.settings import Settings
from support.console import Watched, browsing
from support.factories import (
    make_ai_test,
    make_config_entry,
    make_dream,
    make_event,
    make_metric,
)
from support.running_gateway import serving


@pytest.fixture
async def console(database: Database) -> AsyncIterator[Watched]:
    """A browser, and a gateway of development."""
    settings = Settings(_env_file=None)
    async with serving(settings, database) as served, browsing(served.address) as watched:
        yield watched


async def options(console: Watched, label: str) -> list[str]:
    texts = await console.page.get_by_label(label).locator("option").all_inner_texts()
    return [each for each in texts if "(" in each and "(0)" not in each]


async def test_menus_count_what_they_would_show(console: Watched, database: Database) -> None:
    for category, count in (("MATH", 2), ("CODING", 1)):
        for _ in range(count):
            await make_dream(database, category=category)
    await console.page.goto(f"{console.address}/console/dreams")
    await console.page.get_by_role("option", name="Math (2)").wait_for(state="attached")
    assert await options(console, "Category") == ["Coding (1)", "Math (2)"]
    [status] = await options(console, "Status")
    assert status.endswith(" (3)")
    await console.page.get_by_label("Category").select_option("CODING")
    await console.page.get_by_role("option", name=status.replace("3", "1")).wait_for(
        state="attached"
    )
    assert await options(console, "Category") == ["Coding (1)", "Math (2)"]


async def test_an_empty_time_leads_to_the_data(console: Watched, database: Database) -> None:
    long_ago = await database.now() - timedelta(days=20)
    await make_event(database, event_type="old", source="test", timestamp=long_ago)
    await console.page.goto(f"{console.address}/console/events?source=test")
    empty = console.page.locator(".note", has_text="No events in this time.")
    utc = long_ago.strftime("%Y-%m-%d %H:%M:%S UTC")
    assert await empty.locator("time").first.get_attribute("title") == utc
    await empty.get_by_role("button", name="Show the last day of them").click()
    await console.page.locator(".tail strong", has_text="old").wait_for()


async def test_budgets_state_what_is_left(console: Watched, database: Database) -> None:
    await make_config_entry(database, key="budgets.monthly_usd", value=10)
    await make_ai_test(database, cost="4", created_at=await database.now())
    await console.page.goto(f"{console.address}/console/costs")
    budget = console.page.get_by_label("Budget of all users")
    await budget.get_by_text("$6.00").wait_for()
    facts = dict(
        zip(
            await budget.locator("dt").all_inner_texts(),
            await budget.locator("dd").all_inner_texts(),
            strict=True,
        )
    )
    assert (facts["Spent this month"], facts["Budget"], facts["Left"]) == (
        "$4.00",
        "$10.00",
        "$6.00",
    )
    await budget.get_by_label("40 % of the budget is spent").wait_for()


async def test_tiles_have_a_course_and_metrics_are_explored_by_tag(
    console: Watched, database: Database
) -> None:
    now = await database.now()
    for days, cost in ((0, "4"), (1, "1"), (1, "2")):
        await make_ai_test(database, cost=cost, created_at=now - timedelta(days=days))
    for host, value in (("a", 1), ("b", 3)):
        await make_metric(database, timestamp=now, value=value, tags={"host": host}, unit=None)
    page = console.page
    await page.goto(f"{console.address}/console")
    for title, figure, share in (("Tests", "1", 1 / 3), ("Spent", "$4.00", 4 / 7)):
        tile = page.get_by_label(f"{title} today", exact=True)
        await tile.locator(".figure", has_text=figure).wait_for()
        heights = await course(tile)
        assert len(heights) == 14
        assert heights[-1] / sum(heights) == pytest.approx(share, 0.02)
        assert not any(heights[:-2])
    await page.goto(f"{console.address}/console/metrics")
    await page.get_by_label("Tag").select_option('host = "b"')
    await page.get_by_role("heading", name='cpu, host = "b"').wait_for()
    async with page.expect_download() as saved:
        await page.get_by_role("button", name="Export cpu").click()
        await page.get_by_role("menuitem", name="JSON").click()
    [row] = orjson.loads((await (await saved.value).path()).read_bytes())
    assert (row["average"], row["count"]) == (3, "1")


async def course(tile: Locator) -> list[float]:
    """The heights of the line of a tile above its base."""
    points = await tile.locator("polyline").get_attribute("points")
    assert points
    ys = [float(point.split(",")[1]) for point in points.split()]
    return [max(ys) - y for y in ys]
