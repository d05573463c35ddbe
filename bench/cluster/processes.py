"""Processes: programs of the cluster, each in a process group of its own."""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from db.core.embedded.os_account import identity

STOP_SECONDS = 40
LOOK_SECONDS = 0.02
START_SECONDS = 120  # the machine is busy when several gateways start

# Linux gives ports from 32,768 on to connections, one of which could take a port that was free.
_ports = count(23_000 + os.getpid() % 1_000)


class Program:
    """A program that can be killed and started again; its output is in `log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        folder: Path,
        env: Mapping[str, str] | None = None,
        *,
        as_root: bool = True,
    ) -> None:
        self.name = name
        self.command = command
        self.folder = folder
        self.log = folder / f"{name}.log"
        self.env = {**os.environ, **(env or {})}
        self.identity = {} if as_root else identity()
        self.process: Process | None = None

    @property
    def pid(self) -> int:
        if self.process is None or self.process.returncode is not None:
            raise SystemExit(f"{self.name} has ended.\n{self.tail()}")
        return self.process.pid

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                cwd=self.folder,
                env=self.env,
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self.identity,
            )

    async def kill(self) -> None:
        """Kill it with all processes that it started."""
        os.killpg(self.pid, signal.SIGKILL)
        await self._ended()

    async def stop(self) -> None:
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_SECONDS):
                await self.process.wait()
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        await self._ended()

    async def _ended(self) -> None:
        if self.process:
            await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def tail(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])


async def until(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Return when the condition holds. Raises SystemExit if it does not within a minute."""
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await condition():  # noqa: ASYNC110  of other processes
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError as error:
        raise SystemExit(f"After {START_SECONDS} s: {what}.") from error


async def listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        return True
    return False


def free_port() -> int:
    for port in _ports:
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise SystemExit("No port is free.")
