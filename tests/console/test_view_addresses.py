"""Addresses hold the state of views: each control of each page changes the address, and the page
that is loaded from the new address shows the same."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Locator, Page

from db import Database
from gateway.settings import Settings
from support.console import browsing
from support.factories import (
    make_api_key,
    make_audit_entry,
    make_config_entry,
    make_event,
    make_feature_flag,
    make_user,
)
from support.real_pages import PAGES
from support.running_gateway import Served, serving
from support.wait import patience, until

VIEWS = re.compile("^(New |Show more$|Look further$|Pause$)")
WRITES = re.compile("^(Turn |Enable$|Disable$)")
CONTROLS: dict[str, Callable[[Locator], Locator]] = {
    "choose": lambda main: main.locator("select:not(td select)"),
    "search": lambda main: main.locator("input[type=search]"),
    "date": lambda main: main.locator("input[type=datetime-local]"),
    "press": lambda main: main.locator(".segments"),
    "sort": lambda main: main.locator("thead tr:has(button)"),
    "open": lambda main: main.locator("summary, tbody tr:last-child td > button").filter(
        has_not_text=WRITES
    ),
    "click": lambda main: main.get_by_role("button", name=VIEWS),
}
# Resolves to the choices and texts of the page when all its requests are answered, it is LIVE, and
# it has looked the same for some frames.
SHOWN = """async (isVolatile) => {
  const shown = () => {
    const parts = [...document.querySelectorAll("main, [role=dialog]")];
    const states = "select, input, [aria-pressed], [aria-sort], details";
    const texts = parts.map((part) => {
      const copy = part.cloneNode(true);
      for (const each of copy.querySelectorAll("[role=status], .u-legend")) each.remove();
      for (const each of copy.querySelectorAll("time")) each.textContent = each.dateTime;
      return copy.textContent;
    });
    return JSON.stringify([
      parts.flatMap((part) => [...part.querySelectorAll(states)])
        .map((each) => [each.value ?? null, each.ariaPressed, each.ariaSort, each.open ?? null]),
      isVolatile ? [] : texts,
    ]);
  };
  const frame = () => new Promise(requestAnimationFrame);
  const badges = () => [...document.querySelectorAll("main [role=status] .badge")];
  const isCurrent = () => pending === 0 && badges().every((each) => each.textContent === "LIVE");
  let [before, looks] = [shown(), 0]; // looks that were the same, one after the other
  while (looks < 5) {
    await frame();
    await frame();
    await Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})));
    const now = shown();
    looks = now === before && isCurrent() ? looks + 1 : 0;
    before = now;
  }
  return before;
}"""
GO = """(address) => {
  history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}"""


# Counts the requests of a page that were not answered to the last byte.
COUNT_PENDING = """
  globalThis.pending = 0;
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => {
    pending++;
    const response = await fetch(...request);
    const text = response.text.bind(response);
    const drawn = () => requestAnimationFrame(() => requestAnimationFrame(() => pending--));
    response.text = () => text().finally(() => setTimeout(drawn));
    return response;
  };
"""


MORE = {"events": "&source=azure"}  # others are added while the test runs


class View:
    """A page, and what it shows when no request is under way."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.is_volatile = False

    async def shown(self) -> object:
        async with patience():
            return await self.page.evaluate(SHOWN, self.is_volatile)

    async def opened(self, address: str) -> object:
        self.is_volatile = "/admin/system" in address  # figures of the moment
        await self.page.goto(address)
        await self.page.locator("main h1, main h2").first.wait_for()
        return await self.shown()

    async def returned(self, address: str) -> object:
        """What it shows at another address of the page that is open, without loading it again."""
        await self.page.evaluate(GO, address)
        return await self.shown()

    def controls(self, kind: str) -> Locator:
        return CONTROLS[kind](self.page.locator("main"))

    async def change(self, kind: str, control: Locator) -> None:
        if kind == "choose":
            options = await control.locator("option").evaluate_all("all => all.map((e) => e.value)")
            current = await control.input_value()
            await control.select_option(next(each for each in options if each != current))
        elif kind == "search":
            await control.fill("e")
        elif kind == "date":
            await control.fill("2014-02-20T10:00")
        elif kind == "press":
            await control.locator("button[aria-pressed=false]").last.click()
        elif kind == "sort":
            await control.get_by_role("button").nth(1).click()
        else:
            await control.click()


# Controls that stay when another of their kind is used: an address holds all of them at once.
TOGETHER = {"choose", "search", "date", "press", "sort"}


async def keeps_its_state(page: Page, address: str) -> int:
    """Change each control of the page; return how many there are."""
    view, changed = View(page), 0
    await page.add_init_script(COUNT_PENDING)
    fresh = await view.opened(address)
    counts = {kind: await view.controls(kind).count() for kind in CONTROLS}
    for kind, count in counts.items():
        steps = [range(count)] if kind in TOGETHER else [[index] for index in range(count)]
        for indexes in filter(len, steps):
            if page.url != address:
                reset = view.returned if kind in TOGETHER else view.opened
                fresh = await reset(address)
            changed += await keep_their_state(view, kind, indexes, fresh)
    return changed


async def keep_their_state(view: View, kind: str, indexes: Sequence[int], before: object) -> int:
    """Change these one after the other; the page shows the same when it is loaded again."""
    page = view.page
    for index in indexes:
        address = page.url
        await view.change(kind, view.controls(kind).nth(index))
        await until(lambda address=address: page.url != address)
        before, earlier = await view.shown(), before
        assert before != earlier, (kind, index, page.url)
    assert await view.opened(page.url) == before, (kind, indexes, page.url)
    return len(indexes)


@pytest.mark.timeout(600)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("name", "controls"),
    {
        "overview": 0,
        "agents": 3,
        "agent": 0,
        "dreams": 5,
        "dream": 3,
        "models": 5,
        "model": 0,
        "events": 9,
        "metrics": 8,
        "costs": 3,
        "system": 4,
    }.items(),
)
async def test_the_address_holds_every_choice(
    real: Served, ids: dict[str, str], browser: Browser, name: str, controls: int
) -> None:
    path = PAGES[name][0].format(**ids) + MORE.get(name, "")
    async with browsing(real.address, browser=browser) as watched:
        assert await keeps_its_state(watched.page, f"{real.address}{path}") >= controls


@pytest.fixture
async def filled(database: Database) -> AsyncIterator[Served]:
    """A gateway over more rows of each kind than a page shows."""
    now = await database.now()
    for number in range(60):
        user = await make_user(database, email=f"user{number}@example.org")
        await make_api_key(database, user_id=user.id, service=f"service {number}")
        await make_config_entry(database, key=f"setting{number}")
        await make_feature_flag(database, key=f"flag{number}")
        await make_audit_entry(database)
        await make_event(database, source="test", timestamp=now - timedelta(minutes=number))
    async with serving(Settings(_env_file=None), database) as served:
        yield served


@pytest.mark.timeout(600)
async def test_the_address_holds_pages_forms_and_pauses(filled: Served) -> None:
    async with browsing(filled.address) as watched:
        found = {
            path: await keeps_its_state(watched.page, f"{filled.address}/console/{path}")
            for path in (
                "events?source=test",
                "admin/keys?whose=all",
                "admin/users",
                "admin/settings",
                "admin/flags",
                "admin/audit?range=all",
            )
        }
    assert found == {
        "events?source=test": 8,
        "admin/keys?whose=all": 3,
        "admin/users": 4,
        "admin/settings": 3,
        "admin/flags": 2,
        "admin/audit?range=all": 8,
    }
