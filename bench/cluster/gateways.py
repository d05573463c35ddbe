"""Gateways: `dreamnet serve` with two workers, in production."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx2

from cluster import previous
from cluster.processes import Program, free_port, until

WORKERS = 2
PEPPER = "cluster" * 8
BUDGET = 1_200  # points per minute of anonymous clients in one network

SETTINGS = {
    "DREAMNET_ENV": "production",
    "DREAMNET_WORKERS": f"{WORKERS}",
    "DREAMNET_KEY_PEPPER": PEPPER,
    "DREAMNET_PUBLIC_READ": "true",
    "DREAMNET_BUDGET_POINTS_PER_MINUTE": "10000000",
    "DREAMNET_BUDGET_POINTS_PER_MINUTE_ANONYMOUS": f"{BUDGET}",
    "DREAMNET_DRAIN_SECONDS": "2",
    "DREAMNET_SPREAD_SECONDS": "2",
    "DREAMNET_LOG_LEVEL": "warning",
    "DREAMNET_CONSOLE": "off",
}


class Gateway:
    """One gateway, which a load balancer knows by its port."""

    def __init__(self, name: str, folder: Path, settings: Mapping[str, str]) -> None:
        self.port = free_port()
        command = [sys.executable, "-m", "gateway", "serve"]
        env = {**SETTINGS, **settings, "DREAMNET_PORT": f"{self.port}"}
        self.program = Program(name, command, folder, env)
        self.is_previous = False

    async def start(self) -> None:
        await self.program.start()

    def use(self, version: Path | None) -> None:
        """Run the code in a folder from the next start on; None is the present code."""
        self.is_previous = version is not None
        self.program.env |= previous.environment(version) if version else {"PYTHONPATH": ""}

    async def is_ready(self) -> bool:
        """True if all workers serve; a previous version may have none."""
        if not self.is_previous and len(self.workers()) < WORKERS:
            return False
        with suppress(httpx2.HTTPError):
            async with httpx2.AsyncClient() as client:
                url = f"http://127.0.0.1:{self.port}/api/health/ready"
                return (await client.get(url)).status_code == 200
        return False

    async def ready(self) -> None:
        await until(self.is_ready, f"{self.program.name} is not ready.\n{self.program.tail()}")

    def workers(self) -> set[int]:
        """The ids of its workers."""
        pid = self.program.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(child) for child in children if _is_worker(child)}

    def kill_worker(self) -> None:
        os.kill(min(self.workers()), signal.SIGKILL)

    async def kill(self) -> None:
        await self.program.kill()

    async def replace_workers(self) -> None:
        """As after an upgrade of its packages, by SIGHUP."""
        before = self.workers()
        self.program.signal(signal.SIGHUP)

        async def are_new() -> bool:
            now = self.workers()
            return not now & before and len(now) == WORKERS

        await until(are_new, f"{self.program.name} does not replace its workers")

    async def restart(self) -> None:
        await self.program.stop()
        await self.start()
        await self.ready()


def _is_worker(pid: str) -> bool:
    with suppress(OSError):
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


async def all_ready(gateways: list[Gateway]) -> None:
    await asyncio.gather(*(gateway.ready() for gateway in gateways))
