"""Running: a server as a process of its own, from its start until it has ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import httpx2

from versus.database import PEPPER, Postgres
from versus.operations import body
from versus.processes import pinned, tree
from versus.servers import FOLDER, OURS, Server

START_SECONDS = 60
STOP_SECONDS = 10
LOOK_SECONDS = 0.05
FOREIGN = ("DREAMNET_", "PG", "DATABASE_URL", "NODE_")  # settings of the user
JSON = {"content-type": "application/json", "accept": "application/json"}
NO_LIMIT = (
    "1000000000"  # points: no request is refused for its budget, which is counted all the same
)

_numbers = count()


@dataclass
class Running:
    """A server that answers."""

    server: Server
    pid: int
    port: int
    keys: tuple[str, ...]
    ready_seconds: float
    client: httpx2.Client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/graphql"

    def post(self, content: str) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.keys[0]}"} if self.keys else {}
        return self.client.post(self.url, content=content, headers=JSON | headers)


@contextmanager
def running(
    server: Server, postgres: Postgres, core: int | None, settings: Mapping[str, str]
) -> Iterator[Running]:
    """Start a server, and end it with all its processes."""
    port, log = _free_port(), postgres.folder / f"{server.name}-{next(_numbers)}.log"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned(core, server.command(port)),
            cwd=postgres.folder,
            env=environment(server, postgres, port, settings),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    keys = postgres.keys if server.is_gateway else ()
    try:
        with httpx2.Client(timeout=30) as client:
            found = Running(server, process.pid, port, keys, 0, client)
            _wait_until_ready(found, process, log)
            found.ready_seconds = time.monotonic() - began
            yield found
    finally:
        _stop(process)


def environment(
    server: Server, postgres: Postgres, port: int, settings: Mapping[str, str]
) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    if not server.is_gateway:
        peer = {"PORT": str(port), "NODE_ENV": "production", "PYTHONPATH": str(FOLDER.parent)}
        return {**kept, **postgres.variables, **peer}
    own = settings if server.name == OURS else {}
    return {**kept, **gateway_variables(postgres, port), **own}


def gateway_variables(postgres: Postgres, port: int) -> dict[str, str]:
    """The settings of production, which differ in the budget and in the time to stop."""
    return {
        "DATABASE_URL": postgres.url,
        "DREAMNET_ENV": "production",
        "DREAMNET_PORT": str(port),
        "DREAMNET_KEY_PEPPER": PEPPER,
        "DREAMNET_DATA_DIR": str(postgres.folder / "gateway"),
        "DREAMNET_BUDGET_POINTS_PER_MINUTE": NO_LIMIT,
        "DREAMNET_DRAIN_SECONDS": "0",
        "DREAMNET_SPREAD_SECONDS": "0",
    }


def _wait_until_ready(server: Running, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    content = body(server.server, "Q2", {})
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(httpx2.TransportError):
            if server.post(content).status_code == 200:
                return
        time.sleep(LOOK_SECONDS)
    lines = log.read_text(errors="replace").splitlines()[-15:]
    raise SystemExit("\n".join([f"{server.server.name} did not start:", *lines]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    pids = tree(process.pid)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        for pid in pids:
            _kill(pid)
        process.wait()


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
