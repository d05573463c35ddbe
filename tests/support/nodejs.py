"""Node, from its wheel, with the packages that a folder of the tests declares."""

import fcntl
import os
import sys
from asyncio import create_subprocess_exec, subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

TESTS = Path(__file__).parents[1]
BINARIES = Path(sys.executable).parent


async def node(folder: str, script: str, *arguments: str) -> Any:
    """The JSON that a script of the folder prints."""
    await installed(TESTS / folder)
    return orjson.loads(await run("node", script, *arguments, folder=TESTS / folder))


async def installed(folder: Path) -> None:
    """Install the packages of the lock file, once; other workers wait for the first."""
    lock, installed = folder / "package-lock.json", folder / "node_modules" / ".package-lock.json"
    with locked(folder / "package.json"):
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            await run("npm", "ci", "--ignore-scripts", folder=folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file that exists; other workers wait for it."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


async def run(program: str, *arguments: str, folder: Path) -> bytes:
    """The output of a program of node, or of one installed in the folder."""
    path = f"{BINARIES}{os.pathsep}{os.environ['PATH']}"
    process = await create_subprocess_exec(
        BINARIES / program,
        *arguments,
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 0, (out + error).decode()
    return out
