"""Live views: a report changes the wall, and an interrupted view resumes without a gap."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.async_api import Locator, Page, WebSocketRoute

from db import Database
from gateway.settings import Settings
from support.client_processes import Gateway
from support.console import browsing
from support.factories import make_agent
from support.running_gateway import serving
from support.wait import until

REPORT = """mutation Report($key: String!, $status: AgentStatus!) {
  reportAgentStatus(input: { agentKey: $key, status: $status }) { storedId errors { message } }
}"""
REPORTS = """mutation Reports($input: ReportAgentStatusesInput!) {
  reportAgentStatuses(input: $input) { storedCount }
}"""
LOG = """mutation Log($name: String!) {
  logEvents(input: { events: [{ eventType: $name, source: "test", severity: "INFO" }] }) {
    storedCount }
}"""
INTERRUPTED = ("WebSocket connection to", "ERR_CONNECTION_REFUSED")  # Chromium's remarks


@pytest.fixture
async def served(database: Database) -> AsyncIterator[str]:
    """The address of a gateway in this process."""
    async with serving(Settings(_env_file=None), database) as served:
        yield served.address


@pytest.fixture
async def gateway(database_url: str, database: Database, tmp_path: Path) -> AsyncIterator[Gateway]:
    """A gateway in its own process, with an agent."""
    await make_agent(database, agent_key="prover")
    gateway = Gateway(database_url, tmp_path)
    async with gateway.running():
        yield gateway


async def ask(address: str, query: str, **variables: object) -> Any:
    body = {"query": query, "variables": variables}
    async with httpx2.AsyncClient(timeout=20) as client:
        return (await client.post(f"{address}/graphql", json=body)).json()["data"]


async def report(address: str, key: str, status: str) -> None:
    answer = await ask(address, REPORT, key=key, status=status)
    assert answer["reportAgentStatus"]["errors"] == []


async def shown(page: Page, key: str, status: str) -> None:
    await page.locator("a.agent", has_text=key).get_by_text(status, exact=True).wait_for()


async def test_the_wall_resumes_after_the_gateway_was_killed(gateway: Gateway) -> None:
    address = f"http://{gateway.host}"
    async with browsing(address, ignored=INTERRUPTED) as watched:
        page = watched.page
        await page.goto(f"{address}/console/agents")
        await page.get_by_text("LIVE", exact=True).wait_for()
        await report(address, "prover", "RUNNING")
        await shown(page, "prover", "RUNNING")
        await report(address, "solver", "ERROR")
        await shown(page, "solver", "ERROR")
        await gateway.kill()
        await page.get_by_text("RECONNECTING", exact=True).wait_for()
        await gateway.start()
        for key, status in (("prover", "PAUSED"), ("solver", "IDLE"), ("helper", "STARTING")):
            await report(address, key, status)
        await page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
        for key, status in (("prover", "PAUSED"), ("solver", "IDLE"), ("helper", "STARTING")):
            await shown(page, key, status)


async def test_the_page_of_an_agent_misses_no_report(gateway: Gateway, served: str) -> None:
    address = f"http://{gateway.host}"
    async with browsing(address, ignored=INTERRUPTED) as watched:
        page = watched.page
        await report(address, "prover", "STARTING")
        await page.goto(f"{address}/console/agents/prover")
        await page.get_by_text("LIVE", exact=True).wait_for()
        await report(address, "prover", "RUNNING")
        await until(lambda: statuses(page, ["RUNNING", "STARTING"]))
        await gateway.kill()
        await page.get_by_text("RECONNECTING", exact=True).wait_for()
        for status in ("WAITING", "ERROR", "WAITING", "IDLE"):
            await report(served, "prover", status)
        assert await statuses(page, ["RUNNING", "STARTING"])
        await gateway.start()
        await page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
        missed = ["IDLE", "WAITING", "ERROR", "WAITING"]
        await until(lambda: statuses(page, [*missed, "RUNNING", "STARTING"]))


async def test_a_report_between_the_history_and_the_subscription_is_shown(
    served: str,
) -> None:
    stored = asyncio.Event()

    async def connect_later(socket: WebSocketRoute) -> None:
        await stored.wait()
        socket.connect_to_server()

    async with browsing(served) as watched:
        page = watched.page
        await page.route_web_socket(re.compile("/graphql"), connect_later)
        await report(served, "prover", "STARTING")
        await page.goto(f"{served}/console/agents/prover")
        await until(lambda: statuses(page, ["STARTING"]))
        await report(served, "prover", "RUNNING")
        stored.set()
        await page.get_by_text("LIVE", exact=True).wait_for()
        await until(lambda: statuses(page, ["RUNNING", "STARTING"]))


async def test_the_tail_misses_no_event(gateway: Gateway, served: str) -> None:
    address = f"http://{gateway.host}"
    async with browsing(address, ignored=INTERRUPTED) as watched:
        page = watched.page
        await page.goto(f"{address}/console/events?type=t")
        await page.get_by_text("LIVE", exact=True).wait_for()
        await log(address, "t1")
        await until(lambda: types(page, ["t1"]))
        await gateway.kill()
        await page.get_by_text("RECONNECTING", exact=True).wait_for()
        for name in ("t2", "t3", "t4"):
            await log(served, name)
        await gateway.start()
        await page.get_by_text("LIVE", exact=True).wait_for(timeout=60_000)
        await until(lambda: types(page, ["t4", "t3", "t2", "t1"]))
        await page.get_by_role("button", name="Pause").click()
        await log(address, "t5")
        await page.get_by_role("button", name="Continue (1 new)").wait_for()
        assert await types(page, ["t4", "t3", "t2", "t1"])
        await page.reload()
        await until(lambda: types(page, ["t4", "t3", "t2", "t1"]))
        await page.get_by_role("button", name="Continue").click()
        await until(lambda: types(page, ["t5", "t4", "t3", "t2", "t1"]))


async def log(address: str, name: str) -> None:
    assert await ask(address, LOG, name=name) == {"logEvents": {"storedCount": 1}}


async def types(page: Page, expected: list[str]) -> bool:
    return bool(await page.locator(".tail strong").all_inner_texts() == expected)


async def statuses(page: Page, expected: list[str]) -> bool:
    return bool(await page.locator("td .badge").all_inner_texts() == expected)


async def test_the_wall_is_filtered_by_its_address(served: str) -> None:
    for key, status in (("prover", "RUNNING"), ("solver", "ERROR")):
        await report(served, key, status)
    async with browsing(served) as watched:
        page = watched.page
        await page.goto(f"{served}/console/agents?status=ERROR")
        await shown(page, "solver", "ERROR")
        assert await page.locator("a.agent").count() == 1
        await page.get_by_label("Status").select_option("RUNNING")
        await shown(page, "prover", "RUNNING")
        assert page.url == f"{served}/console/agents?status=RUNNING"


async def report_all(address: str, keys: list[str], status: str) -> None:
    reports = [{"agentKey": key, "status": status} for key in keys]
    answer = await ask(address, REPORTS, input={"reports": reports})
    assert answer["reportAgentStatuses"] == {"storedCount": len(keys)}


async def test_the_wall_shows_all_of_many_changes_in_their_order(served: str) -> None:
    """More agents change at once than one paint shows."""
    first, second = ([f"{name}{number}" for number in range(70)] for name in ("a", "b"))
    await report_all(served, first + second, "IDLE")
    async with browsing(served) as watched:
        page = watched.page
        await page.goto(f"{served}/console/agents?search=1")
        cards = page.locator("a.agent strong")
        with_1 = [key for key in first + second if "1" in key]
        await until(lambda: has_texts(cards, with_1))
        await report_all(served, second, "RUNNING")
        await report_all(served, first, "ERROR")
        running = [key for key in second if "1" in key]
        await until(lambda: has_texts(page.locator("a.agent:has-text('RUNNING') strong"), running))
        await until(lambda: has_texts(cards, running + [key for key in first if "1" in key]))
        assert await page.locator("a.agent", has_text="ERROR").count() == len(with_1) / 2


async def has_texts(locator: Locator, expected: list[str]) -> bool:
    return bool(await locator.all_inner_texts() == expected)
