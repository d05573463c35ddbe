"""Console: long tasks and memory of the wall of agents in a browser, while agents report.

It starts a PostgreSQL and a gateway of its own, opens the wall in Chromium, and lets agents report:
`python bench/console.py --agents 143 --rate 5 --seconds 60`.
"""

import argparse
import asyncio
import sys
import tempfile
from asyncio import create_subprocess_exec
from pathlib import Path
from typing import Any

from ingest import gateway
from playwright.async_api import Page

from support.console import browsing, build_console

SETTLE_SECONDS = 5.0
SAMPLES = 6
LONG_MS = 50  # the browser's own definition of a long task
WATCH = """window.longTasks = [];
new PerformanceObserver((list) => longTasks.push(...list.getEntries().map((each) => each.duration)))
  .observe({ type: "longtask" });
window.changes = 0;
const all = { subtree: true, childList: true, characterData: true };
new MutationObserver(() => changes++).observe(document.querySelector(".wall"), all);"""


async def main(options: argparse.Namespace) -> None:
    await build_console()
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder), DREAMNET_LOG_LEVEL="error") as (url, _):
            await measure(url, options)


async def measure(url: str, options: argparse.Namespace) -> None:
    address = url.removesuffix("/graphql")
    live = Path(__file__).with_name("live.py")
    pace = ["--agents", str(options.agents), "--rate", str(options.rate)]
    agents = await create_subprocess_exec(sys.executable, live, "--report", url, *pace)
    try:
        async with browsing(address) as watched:
            page = watched.page
            await page.goto(f"{address}/console/agents")
            await page.locator("a.agent").nth(options.agents - 1).wait_for()
            await asyncio.sleep(SETTLE_SECONDS)
            await page.evaluate(WATCH)
            heaps = [await _heap(page)]
            for _ in range(SAMPLES):
                await asyncio.sleep(options.seconds / SAMPLES)
                heaps.append(await _heap(page))
            tasks, changes = await page.evaluate("[longTasks, changes]")
    finally:
        agents.terminate()
        await agents.wait()
    _print(options, tasks, changes, heaps)


async def _heap(page: Page) -> float:
    """Megabytes in use after a collection."""
    session = await page.context.new_cdp_session(page)
    await session.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = await session.send("Runtime.getHeapUsage")
    await session.detach()
    return float(usage["usedSize"]) / 1e6


def _print(
    options: argparse.Namespace, tasks: list[float], changes: int, heaps: list[float]
) -> None:
    print(  # noqa: T201  its purpose
        f"{options.agents} agents  {options.agents * options.rate:.0f} reports/s"
        f"  {changes / options.seconds:.1f} paints/s"
        f"  {len(tasks)} tasks over {LONG_MS} ms, longest {max(tasks, default=0):.0f} ms"
        f"  heap {' '.join(f'{heap:.1f}' for heap in heaps)} MB"
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=143)
    parser.add_argument("--rate", type=float, default=5, help="reports per agent and second")
    parser.add_argument("--seconds", type=float, default=60)
    return parser.parse_args()


if __name__ == "__main__":
    asyncio.run(main(arguments()))
