"""Serving: the gateway on a socket, in a thread of its own, for clients that need a real one."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from db import Database
from gateway.app import create_app
from gateway.settings import Settings


@contextmanager
def served(database_url: str) -> Iterator[str]:
    """The address of a gateway over a database; it stops when the context ends."""
    listening = socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(_serve(database_url, listening, started, stop),)
    )
    thread.start()
    try:
        assert started.wait(30), "the gateway did not start"
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()
        listening.close()


async def _serve(
    database_url: str, listening: socket.socket, started: threading.Event, stop: asyncio.Event
) -> None:
    database = Database(database_url)
    app = create_app(Settings(_env_file=None), database)
    config = uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=5)
    server = _Server(config, started)
    serving = asyncio.create_task(server.serve([listening]))
    await stop.wait()
    server.should_exit = True
    await serving
    await database.close()


class _Server(uvicorn.Server):
    """Says when it accepts connections, and leaves the signals of the process alone."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self.accepting = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
