"""Views of an empty database say what to do next; times are in the reader's zone, and in UTC on
hover."""

import re
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page

from db import Database
from gateway.settings import Settings
from support.console import Watched, browsing
from support.factories import (
    make_agent,
    make_agent_report,
    make_ai_test,
    make_alert,
    make_audit_entry,
    make_event,
)
from support.running_gateway import serving

ZONE = "Asia/Kolkata"
AGO = re.compile(r"now|\d+ [a-z]+\.? ago")
SAMPLE = "Import sample data"

# What stands in for missing rows, and where to get some.
EMPTY = {
    "": ["Nothing does.", "No errors.", "No dream is achieved yet.", "There are no dreams yet."],
    "agents": ["No agent has reported yet."],
    "dreams": ["There are no dreams yet."],
    "models": ["No model was tested yet.", "No test has a score yet."],
    "events": ["There are no events yet.", "No event in this time is like this."],
    "alerts": ["No alert was opened yet."],
    "alerts/webhooks": ["There are no webhooks yet."],
    "alerts/deliveries": ["There are no messages like this."],
    "metrics": ["There are no metrics yet."],
    "costs": ["No test was made yet.", "Nobody has spent anything this month."],
    "admin/settings": ["There are no settings yet."],
    "admin/flags": ["There are no feature flags yet."],
}
WITH_SAMPLE = {"", "agents", "dreams", "models", "events", "metrics", "costs"}


@pytest.fixture
async def watched(database: Database) -> AsyncIterator[Watched]:
    settings = Settings(_env_file=None)
    async with (
        serving(settings, database) as served,
        browsing(served.address, timezone=ZONE) as watched,
    ):
        yield watched


async def test_empty_views_say_what_to_do_next(watched: Watched) -> None:
    page = watched.page
    for path, titles in EMPTY.items():
        await page.goto(f"{watched.address}/console/{path}")
        for title in titles:
            note = page.locator(".note", has=page.get_by_text(title, exact=True))
            await note.wait_for()
            assert len(await note.locator("div").inner_text()) > 10, (path, title)
        offered = await page.get_by_role("button", name=SAMPLE).count()
        assert (offered > 0) == (path in WITH_SAMPLE), path


async def test_times_are_those_of_the_reader(watched: Watched, database: Database) -> None:
    at = (await database.now()).replace(microsecond=0) - timedelta(minutes=5)
    await make_event(database, timestamp=at)
    await make_audit_entry(database, created_at=at)
    await make_alert(database, created_at=at)
    agent = await make_agent(database, agent_key="prover")
    await make_agent_report(database, agent_key=agent.agent_key, reported_at=at)
    test = await make_ai_test(database, created_at=at)
    page = watched.page
    dream = f"dreams/dream_{test.dream_id.hex}"
    for path in ("events", "alerts", "admin/audit", "agents/prover", dream):
        await page.goto(f"{watched.address}/console/{path}")
        await page.locator("time", has_text=spaced(local(at))).first.wait_for()
        for moment, title, shown in await times(page):
            then = datetime.fromisoformat(moment)
            assert title == then.strftime("%Y-%m-%d %H:%M:%S UTC")
            assert shown in (local(then), local_day(then)) or AGO.fullmatch(shown), shown
    start = at.strftime("%Y-%m-%dT%H:%M:00Z")
    await page.goto(f"{watched.address}/console/events?from={start}")
    field = page.get_by_label("From")
    assert await field.input_value() == f"{at.astimezone(ZoneInfo(ZONE)):%Y-%m-%dT%H:%M}"
    assert await field.get_attribute("title") == at.strftime("%Y-%m-%d %H:%M:00 UTC")


async def times(page: Page) -> list[list[str]]:
    """The time, the text on hover and the text of each time that is shown."""
    found = await page.locator("time").evaluate_all(
        "all => all.map((each) => [each.dateTime, each.title, each.textContent])"
    )
    return [[part.replace("\u202f", " ") for part in each] for each in found]


def local(at: datetime) -> str:
    """A time as Americans write it, in the zone of the reader."""
    there = at.astimezone(ZoneInfo(ZONE))
    return f"{local_day(at)}, {there.hour % 12 or 12}:{there:%M:%S %p}"


def local_day(at: datetime) -> str:
    there = at.astimezone(ZoneInfo(ZONE))
    return f"{there:%b} {there.day}, {there.year}"


def spaced(text: str) -> re.Pattern[str]:
    """Chromium has a narrow space before AM and PM."""
    return re.compile(re.escape(text).replace(r"\ ", r"\s"))
