"""Console: built once for all tests, and opened in a Chromium in which nothing may go wrong."""

import sys
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Page, Request

from support.browser import chromium
from support.nodejs import TESTS, installed, run

Scheme = Literal["light", "dark"]

ROOT = TESTS.parent
DESKTOP = (1440, 900)
AXE = TESTS / "browser" / "node_modules" / "axe-core" / "axe.min.js"
SERIOUS = """async (rules) => (await axe.run({
    resultTypes: ["violations"], ...(rules && { runOnly: { type: "rule", values: rules } }) }))
  .violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, nodes }) => [id, nodes[0].target.join(" "), nodes[0].failureSummary])"""

# Two frames, for observers of sizes, and the ends of all transitions.
SETTLED = """async () => {
  const frame = () => new Promise(requestAnimationFrame);
  await frame();
  await frame();
  await Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})));
}"""


async def build_console() -> None:
    """Build the console unless it is current. Other workers wait for the first."""
    await run(Path(sys.executable).name, str(ROOT / "hatch_build.py"), folder=ROOT)
    await installed(TESTS / "browser")


class Watched:
    """A page, what went wrong in it, and what it loaded."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.problems: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", lambda message: self._note(message.type, message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self._requested)

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.problems.append(text)

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)

    async def looks(self, size: tuple[int, int], scheme: Scheme) -> None:
        """Show the page at another size and in other colours, without loading it again."""
        await self.page.set_viewport_size({"width": size[0], "height": size[1]})
        await self.page.emulate_media(color_scheme=scheme)
        await self.page.evaluate(SETTLED)

    async def accessibility_problems(self, rules: Sequence[str] | None = None) -> Any:
        """Serious and critical findings of axe; `rules` limits it to some of its rules."""
        if not await self.page.evaluate("'axe' in window"):
            await self.page.evaluate(AXE.read_text())  # a script element would need the policy
        return await self.page.evaluate(SERIOUS, rules)


@asynccontextmanager
async def browsing(
    address: str,
    ignored: Collection[str] = (),
    timezone: str = "Europe/Berlin",
    browser: Browser | None = None,
) -> AsyncIterator[Watched]:
    """A new page, in a browser of its own unless one is given. At the end, nothing went wrong in
    it, and it loaded nothing from elsewhere."""
    async with nullcontext(browser) if browser else chromium() as opened:
        watched = await _page(opened, address, timezone)
        yield watched
        problems = [text for text in watched.problems if not any(part in text for part in ignored)]
        await watched.page.goto("about:blank")  # closing a page with workers takes half a minute
        if browser:
            await watched.page.context.close()
        assert (problems, watched.elsewhere) == ([], [])


async def _page(browser: Browser, address: str, timezone: str) -> Watched:
    context = await browser.new_context(
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]},
        color_scheme="light",
        locale="en-US",
        timezone_id=timezone,
    )
    return Watched(await context.new_page(), address)


async def sign_in(page: Page, key: str) -> None:
    """Enter a key in the form that the console shows to anonymous clients."""
    await page.get_by_label("API key or access token").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await page.locator("nav.menu").wait_for()
