"""PostgreSQL: a primary, and a standby that has every commit before it is acknowledged."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from cluster.processes import until
from db.core.embedded import Embedded
from db.core.embedded.os_account import hand_over
from db.core.embedded.programs import run
from db.core.embedded.server import Server
from db.core.embedded.sharing import SETTINGS

MORE = {
    "max_connections": "200",
    "jit": "off",
    "wal_retrieve_retry_interval": "200ms",  # commits wait for the standby
}
STANDBY = "standby"
LOOK_SECONDS = 0.1  # between two looks for a server that died


class Postgres:
    """Both servers. One that dies is started again, as systemd would, unless it is given up."""

    def __init__(self, folder: Path) -> None:
        self.primary = Embedded(folder / "primary", MORE)
        self.standby = Server(folder / STANDBY, {**SETTINGS, **MORE})
        self.current = self.primary.server
        self.given_up: set[Server] = set()
        self._watching: list[asyncio.Task[None]] = []

    @property
    def url(self) -> str:
        """Of the database that accepts writes, without a pooler."""
        return f"postgresql://postgres@/dreamnet?host={quote(self.current.sockets)}&port=5432"

    async def start(self) -> None:
        await asyncio.to_thread(self.primary.start)
        await asyncio.to_thread(self._copy)
        await asyncio.to_thread(self.standby.run)
        self._ask(f"alter system set synchronous_standby_names = '{STANDBY}'")
        self._ask("select pg_reload_conf()")
        await until(self._is_synchronous, "the standby does not follow")
        servers = (self.primary.server, self.standby)
        self._watching = [asyncio.create_task(self._watch(each)) for each in servers]

    async def stop(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        await asyncio.to_thread(self.standby.stop)
        await asyncio.to_thread(self.primary.stop)

    def kill(self, server: Server) -> None:
        if server.pid is None:
            raise SystemExit(f"PostgreSQL has ended. {server.log_tail()}")
        os.kill(server.pid, signal.SIGKILL)

    async def is_back(self, server: Server) -> None:
        async def accepts() -> bool:
            with suppress(Exception):
                return await asyncio.to_thread(server.query, "select 1") != ""
            return False

        await until(accepts, "PostgreSQL does not come back")

    async def promote(self) -> None:
        """Kill the primary without starting it again, and make the standby the primary."""
        self.given_up.add(self.primary.server)
        self.kill(self.primary.server)
        await asyncio.to_thread(self.standby.query, "select pg_promote()")
        self.current = self.standby

    def _copy(self) -> None:
        folder = self.standby.folder
        folder.mkdir(mode=0o700)
        hand_over(folder)
        source = f"host={self.primary.server.sockets} user=postgres application_name={STANDBY}"
        options = ("--write-recovery-conf", "--checkpoint", "fast", "--dbname", source)
        run("pg_basebackup", "--pgdata", str(self.standby.data), *options)

    async def _is_synchronous(self) -> bool:
        state = await asyncio.to_thread(self._ask, "select sync_state from pg_stat_replication")
        return state.strip() == "sync"

    def _ask(self, statement: str) -> str:
        return self.current.query(statement)

    async def _watch(self, server: Server) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if server.pid is None and server not in self.given_up:
                await asyncio.to_thread(server.run)
