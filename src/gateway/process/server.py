"""Server: uvicorn's, which greets when it answers, and stops without anybody losing anything.

First load balancers are told, while everything goes on; then streams are told to come back
elsewhere, a few at a time; then requests under way are answered; then what was taken in is stored,
as the app does on its way out. A client that does not read holds up none of it.
"""

import asyncio
import socket
import time
from collections.abc import Coroutine
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.process.garbage_collection import GarbageCollector
from gateway.process.startup_message import StartupMessage
from gateway.settings import Settings
from gateway.transport.streaming import LEAVE_SECONDS

TICK_SECONDS = 0.05
LEAST_SECONDS = 3  # for requests under way, however long the streams took


class Server(uvicorn.Server):
    """uvicorn's, around the app of the gateway."""

    def __init__(
        self, config: uvicorn.Config, settings: Settings, greeting: StartupMessage | None = None
    ) -> None:
        super().__init__(config)
        self.settings = settings
        self.greeting = greeting
        state: Any = config.app.state  # type: ignore[union-attr]  # it is a Starlette, never a name
        self.health, self.streams = state.health, state.streams
        self.collecting: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """A signal that comes before the greeting meets Python's own handler, which may raise where
        nobody hears it."""
        await super().startup(sockets)
        if self.started:
            self.collecting = asyncio.create_task(GarbageCollector(self.streams).run())
            if self.greeting:
                self.greeting.show(self.settings.log_as_json)

    def leave(self) -> None:
        """Stops as after a signal; may be called from another thread."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Takes as long as there is something to wait for; a second Ctrl-C ends the waiting."""
        self.health.stopping = True
        await self._wait(asyncio.sleep(self.settings.drain))
        began = time.monotonic()
        await self._wait(self._end_streams())
        most, spent = self.settings.shutdown_seconds, time.monotonic() - began
        self.config.timeout_graceful_shutdown = min(most, max(round(most - spent), LEAST_SECONDS))
        await super().shutdown(sockets)
        if self.collecting:
            self.collecting.cancel()

    async def _wait(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        while not task.done() and not self.force_exit:
            await self.on_tick(0)  # answers have a date, which is kept there
            await asyncio.wait([task], timeout=TICK_SECONDS)
        task.cancel()

    async def _end_streams(self) -> None:
        """Ends those, too, whose clients do not take their leave."""
        await self.streams.drain(self.settings.spread)
        for _ in range(round(LEAVE_SECONDS / TICK_SECONDS)):
            if self.streams.open:
                await asyncio.sleep(TICK_SECONDS)
        for connection in list(self.server_state.connections):
            if not isinstance(connection, HttpToolsProtocol):  # a WebSocket
                connection.transport.abort()
