"""Workers: several processes serve one port, and no client notices which."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from db.users import Role
from support.client_processes import PEPPER, Gateway
from support.factories import make_user
from support.gateways import make_key, production
from support.stream_client import listening
from support.wait import patience, until

WORKERS = 2
CREATE = """mutation ($title: String!) {
  createDream(input: {title: $title}) { dream { title } errors { code } }
}"""


class Served(Gateway):
    """A gateway of two workers in production, and an operator's key."""

    key = ""

    @property
    def address(self) -> str:
        return f"http://{self.host}"

    @property
    def authorization(self) -> str:
        return f"Bearer {self.key}"

    def pids(self) -> set[int]:
        """Those of the workers; uvicorn's resource tracker is no worker."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return {int(pid) for pid in children.read_text().split() if _is_worker(pid)}

    async def readiness(self) -> int:
        async with httpx2.AsyncClient(base_url=self.address, timeout=30) as client:
            return (await client.get("/api/health/ready")).status_code

    async def ask(self, query: str, **variables: Any) -> httpx2.Response:
        """On a connection of its own, so that any worker may accept it."""
        async with httpx2.AsyncClient(base_url=self.address, timeout=30) as client:
            body = {"query": query, "variables": variables}
            return await client.post(
                "/graphql", json=body, headers={"authorization": self.authorization}
            )


def _is_worker(pid: str) -> bool:
    with suppress(FileNotFoundError):  # it has just ended
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


@pytest.fixture
async def gateway(database_url: str, database: Any, tmp_path: Path) -> AsyncIterator[Served]:
    gateway = Served(database_url, tmp_path)
    gateway.settings |= {
        "DREAMNET_ENV": "production",
        "DREAMNET_WORKERS": str(WORKERS),
        "DREAMNET_MAX_STREAMS_PER_CALLER": "5",
        "DREAMNET_DRAIN_SECONDS": "1",
        "DREAMNET_LOG_FORMAT": "json",
    }
    operator = await make_user(database, role=Role.OPERATOR)
    settings = production(key_pepper=PEPPER)
    gateway.key = (await make_key(database, settings, user_id=operator.id)).text
    async with gateway.running():
        yield gateway


async def test_a_worker_that_is_killed_is_replaced(gateway: Served, database: Any) -> None:
    """What was acknowledged is stored, and others go on meanwhile."""
    [first, *_] = before = gateway.pids()
    assert len(before) == WORKERS
    stored: list[str] = []

    async def write(name: str) -> None:
        for number in range(20):
            title = f"{name} {number}"
            try:
                answer = await gateway.ask(CREATE, title=title)
            except httpx2.TransportError:
                continue  # the worker that had accepted it was killed
            if answer.json()["data"]["createDream"]["dream"] == {"title": title}:
                stored.append(title)

    async with patience(), asyncio.TaskGroup() as group:
        for name in ("a", "b", "c"):
            group.create_task(write(name))
        await until(lambda: len(stored) > 5)
        os.kill(first, signal.SIGKILL)
    await until(lambda: len(gateway.pids() - {first}) == WORKERS)

    titles = (await gateway.ask("{ dreams(first: 100) { nodes { title } } }")).json()["data"]
    assert len(stored) > 40
    assert set(stored) <= {node["title"] for node in titles["dreams"]["nodes"]}


async def test_streams_are_limited_for_all_workers_together(gateway: Served) -> None:
    """A killed worker's streams are not counted any more."""

    async def opened(stack: AsyncExitStack) -> int:
        stream = listening(gateway.address, authorization=gateway.authorization)
        return (await stack.enter_async_context(stream)).status

    async with AsyncExitStack() as stack:
        statuses = [await opened(stack) for _ in range(7)]
    assert statuses == [200] * 5 + [429] * 2

    async with AsyncExitStack() as stack, patience():
        while 200 not in [await opened(stack)]:
            pass  # until the workers have noticed that the streams ended
        killed = gateway.pids()
        for pid in killed:
            os.kill(pid, signal.SIGKILL)
        await until(lambda: len(gateway.pids() - killed) == WORKERS)
    async with AsyncExitStack() as stack:
        assert [await opened(stack) for _ in range(5)] == [200] * 5


async def test_workers_are_replaced_one_after_the_other(gateway: Served) -> None:
    """The gateway stays ready: another worker is at the same port."""
    before, statuses = gateway.pids(), []

    async def is_replaced() -> bool:
        statuses.append((await gateway.ask("{ __typename }")).status_code)
        statuses.append(await gateway.readiness())
        return not gateway.pids() & before and len(gateway.pids()) == WORKERS

    gateway.signal(signal.SIGHUP)
    await until(is_replaced)
    assert set(statuses) == {200}


async def test_a_gateway_stops_while_its_workers_are_replaced(gateway: Served) -> None:
    """The second worker gets no successor."""
    process, seen = gateway.process, gateway.pids()
    assert process

    def is_replacing() -> bool:
        with suppress(OSError):  # the gateway has ended
            seen.update(gateway.pids())
        return len(seen) > WORKERS

    gateway.signal(signal.SIGHUP)
    await until(is_replacing)
    gateway.signal(signal.SIGTERM)
    await until(lambda: is_replacing() and process.returncode is not None)
    assert process.returncode == 0
    assert len(seen) == WORKERS + 1


async def test_workers_stop_with_their_parent(gateway: Served) -> None:
    pids = gateway.pids()
    gateway.signal(signal.SIGKILL)  # the pipe of its output is the workers' as well
    await until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids))
    await gateway.kill()
    await gateway.start()
    assert (await gateway.ask("{ __typename }")).status_code == 200
    await gateway.stop()
