"""The world of fault tests: a gateway in a process of its own, over a PostgreSQL of the test's own,
and ways to kill them."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from db.core.embedded import Embedded
from db.core.schema import migrate
from support.ports import free_port


class World:
    """A gateway in a process of its own, over a PostgreSQL of this test's own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.embedded = Embedded(folder / "postgres")
        self.url = ""
        self.gateway: asyncio.subprocess.Process | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self.url = await asyncio.to_thread(self.embedded.start)
        await migrate.upgrade(self.url)
        await self.start_gateway()

    async def start_gateway(self) -> None:
        settings = {"DATABASE_URL": self.url, "DREAMNET_PORT": str(self.port)}
        quiet = {"DREAMNET_REQUEST_LOG": "off", "DREAMNET_LOG_LEVEL": "error"}
        self.gateway = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve"),
            cwd=self.folder,
            env={**os.environ, **settings, **quiet},
            stdout=asyncio.subprocess.PIPE,
        )
        assert self.gateway.stdout
        await self.gateway.stdout.readline()  # the greeting comes when it listens

    async def kill_gateway(self) -> None:
        assert self.gateway
        self.gateway.kill()
        await self.gateway.wait()
        await self.start_gateway()

    async def kill_database(self) -> None:
        assert self.embedded.server.pid
        os.kill(self.embedded.server.pid, signal.SIGKILL)
        await asyncio.to_thread(self.embedded.start)

    async def stop(self) -> None:
        if self.gateway:
            self.gateway.terminate()
            await self.gateway.communicate()
        await asyncio.to_thread(self.embedded.stop)
