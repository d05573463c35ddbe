"""Browser: a headless Chromium."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, async_playwright

from support.nodejs import node

WITHOUT_SECURITY = {"--disable-web-security", "--disable-site-isolation-trials"}
ONCE = {"--single-process"}  # such a browser ends with its first context


@asynccontextmanager
async def chromium(*, shared: bool = False) -> AsyncIterator[Browser]:
    """A browser, for several contexts if it is shared."""
    found = await node("browser", "chromium.mjs")
    async with async_playwright() as playwright:
        refused = WITHOUT_SECURITY | ONCE if shared else WITHOUT_SECURITY
        args = [each for each in found["args"] if each not in refused]
        browser = await playwright.chromium.launch(executable_path=found["executable"], args=args)
        yield browser
        await browser.close()
