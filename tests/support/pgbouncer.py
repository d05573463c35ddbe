"""PgBouncer: a real one before a test's server, in any mode.

Tests that need one skip where there is none. `TEST_PGBOUNCERS` names further programs to test with,
with colons between, such as other versions.
"""

import asyncio
import os
import re
import shutil
import socket
import subprocess
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from db.core.connections.url import connection_info
from db.core.embedded.os_account import identity, make_reachable
from support.ports import free_port
from support.wait import until

FOUND = [*os.environ.get("TEST_PGBOUNCERS", "").split(":"), shutil.which("pgbouncer")]
PROGRAMS = list(dict.fromkeys(filter(None, FOUND)))
NAMES_SINCE = (1, 21)  # when `max_prepared_statements` came


@dataclass(frozen=True)
class Program:
    """A PgBouncer that is installed."""

    path: str
    version: tuple[int, ...]

    @property
    def knows_names(self) -> bool:
        """Whether it can keep account of prepared statements."""
        return self.version >= NAMES_SINCE


def programs() -> list[Program]:
    """All that are installed."""
    return [Program(path, _version(path)) for path in PROGRAMS]


def needed() -> Program:
    """One that is installed; the test is skipped where there is none."""
    if not PROGRAMS:
        pytest.skip("NOT TESTED BEHIND A POOLER: pgbouncer is not on the path")
    return programs()[0]


def _version(path: str) -> tuple[int, ...]:
    received = subprocess.run(
        [path, "--version"], capture_output=True, text=True, check=True
    ).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", received)
    assert found, received
    return int(found[1]), int(found[2])


@asynccontextmanager
async def pgbouncer(
    program: Program, url: str, folder: Path, *, mode: str = "transaction", **more: str | int
) -> AsyncIterator[str]:
    """The URL of the database of a URL behind a PgBouncer; `more` are settings of it."""
    info = connection_info(url)
    (server,) = info.hosts
    port = free_port()
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": port,
        "unix_socket_dir": "",
        "auth_type": "any",
        "pool_mode": mode,
        "default_pool_size": 20,
        **more,
    }
    file = folder / f"pgbouncer-{port}.ini"
    place = f"host={server.name} port={server.port} user={info.user} dbname={info.dbname}"
    lines = ["[databases]", f"{info.dbname} = {place}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    file.write_text("\n".join([*lines, ""]))
    make_reachable(file)
    process = await asyncio.create_subprocess_exec(
        *(program.path, "-q", str(file)), stderr=DEVNULL, cwd="/", **identity()
    )
    try:
        await until(lambda: _listens(port))
        yield f"postgresql://{info.user}@127.0.0.1:{port}/{info.dbname}"
    finally:
        process.kill()
        await process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
