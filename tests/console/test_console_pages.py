"""Every page over real data: nothing from elsewhere, no error, and no serious finding of axe.

With SCREENSHOTS=FOLDER, also a picture of each: `make screenshots`.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from db import Database
from gateway.settings import Settings
from support.console import DESKTOP, Scheme, Watched, browsing
from support.real_pages import PAGES
from support.running_gateway import Served, serving

PHONE = (360, 780)
WALL = (3840, 2160)
# All rules of axe in the first look, and in the others those whose result can differ from it.
LOOKS: dict[str, tuple[tuple[int, int], Scheme, list[str] | None]] = {
    "desktop": (DESKTOP, "light", None),
    "dark": (DESKTOP, "dark", ["color-contrast", "link-in-text-block"]),
    "phone": (PHONE, "light", ["scrollable-region-focusable", "target-size"]),
    "wall": (WALL, "light", ["scrollable-region-focusable"]),
}

ARE_EXPORTED = """[...document.querySelectorAll("main .card table:not(.u-legend)")]
  .every((table) => table.closest(".card").querySelector("[aria-label^='Export ']"))"""


@pytest.mark.timeout(600)
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("half", [0, 1])
async def test_pages_are_whole_and_accessible(
    real: Served, ids: dict[str, str], browser: Browser, half: int
) -> None:
    """Each page is loaded once, and looked at four times."""
    async with browsing(real.address, browser=browser) as watched:
        for name, (path, shown) in list(PAGES.items())[half::2]:
            await watched.page.goto(real.address + path.format(**ids))
            await watched.page.get_by_text(shown).first.wait_for()
            assert await watched.page.evaluate(ARE_EXPORTED), name
            for look, (size, scheme, rules) in LOOKS.items():
                await watched.looks(size, scheme)
                assert await is_as_wide_as_the_screen(watched), (name, look)
                assert await watched.accessibility_problems(rules) == [], (name, look)
                await captured(watched, f"{name}-{look}")
        assert watched.problems == []


async def is_as_wide_as_the_screen(watched: Watched) -> Any:
    return await watched.page.evaluate("document.body.scrollWidth <= window.innerWidth")


async def captured(watched: Watched, name: str) -> None:
    if folder := os.environ.get("SCREENSHOTS"):
        await watched.page.wait_for_load_state("networkidle")
        await watched.page.screenshot(path=Path(folder) / f"{name}.png")


async def test_graphiql_is_accessible(imported: Database) -> None:
    settings = Settings(_env_file=None)
    async with serving(settings, imported) as served, browsing(served.address) as watched:
        await watched.page.goto(f"{served.address}/graphiql")
        await watched.page.get_by_text("LatestDreams").first.wait_for()
        await captured(watched, "graphiql-desktop")
        found = await watched.accessibility_problems()
        assert [each for each in found if ".bar" in each[1] or ".last" in each[1]] == []
