"""Vite: serves a page from an origin of its own."""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from support.nodejs import BINARIES
from support.wait import patience


@asynccontextmanager
async def vite(folder: Path, *arguments: str, **variables: str) -> AsyncIterator[str]:
    """The address of a server in a folder with packages: of its sources, or with `preview` of what
    was built."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    process = await asyncio.create_subprocess_exec(
        *(BINARIES / "node", "node_modules/vite/bin/vite.js", *arguments),
        *("--host", "127.0.0.1", "--port", port, "--strictPort"),
        cwd=folder,
        env=os.environ | variables,
        stdout=PIPE,
        stdin=PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout
        async with patience():
            while port.encode() not in await process.stdout.readline():
                assert process.returncode is None
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # with its bundler
        await process.wait()
