"""Served: a gateway on a socket in this process, from its greeting to its end."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from db import Database
from gateway.auth.authenticator import Auth
from gateway.process.configuration import uvicorn_config
from gateway.process.listener import listening
from gateway.process.server import Server
from gateway.settings import Settings


class Served:
    """A gateway that serves until it is stopped."""

    def __init__(self, listener: socket.socket, server: Server) -> None:
        self.port = listener.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.server = server
        self.running = asyncio.create_task(server.serve(sockets=[listener]))

    @property
    def streams(self) -> int:
        """How many streams are open."""
        return len(self.server.streams.open)

    @property
    def stuck(self) -> int:
        """The number of clients that do not read."""
        connections = self.server.server_state.connections
        return sum(each.transport.get_write_buffer_size() > 0 for each in connections)

    def stop(self) -> asyncio.Task[None]:
        """As a signal does it; the task is over when the gateway is."""
        self.server.should_exit = True
        return self.running


@asynccontextmanager
async def serving(
    settings: Settings, database: Database, auth: Auth | None = None
) -> AsyncIterator[Served]:
    """A gateway with these settings, which is stopped at the end unless it was before."""
    with listening("127.0.0.1", 0) as listener:
        served = Served(listener, Server(uvicorn_config(settings, database, auth), settings))
        try:
            yield served
        finally:
            await served.stop()
