"""Server: uvicorn's server with a startup message and a graceful stop.

It stops in steps. First readiness fails, while requests are still served, so that load balancers
look elsewhere; it does not if another worker has taken its place at the port. Each response closes
its connection, so that few idle ones are left to close while a request arrives. Then streams are
ended a few at a time. Then no connection is accepted, and requests in progress are finished. Then
the app stores buffered rows. A client that does not read delays none of these.
"""

import asyncio
import ctypes
import socket
import time
from collections.abc import Coroutine
from multiprocessing.sharedctypes import RawValue
from typing import cast

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.process.garbage_collection import GarbageCollector
from gateway.process.startup_message import StartupMessage
from gateway.settings import Settings
from gateway.transport.streaming import LEAVE_SECONDS

TICK_SECONDS = 0.05
ACCEPTED_AT_ONCE = 16  # connections
ACCEPTED_SECONDS = 0.2  # for the first request of connections that were just accepted
LEAST_SECONDS = 3  # for requests in progress, however long the streams took


class Server(uvicorn.Server):
    """uvicorn's server for the app of the gateway."""

    def __init__(
        self, config: uvicorn.Config, settings: Settings, greeting: StartupMessage | None = None
    ) -> None:
        super().__init__(config)
        self.settings = settings
        self.greeting = greeting
        state = cast("Starlette", config.app).state
        self.health, self.streams = state.health, state.streams
        self.collecting: asyncio.Task[None] | None = None
        self.copies: list[socket.socket] = []
        self.ticked = time.monotonic()
        self.is_replaced = RawValue(ctypes.c_bool, False)  # another worker serves the same port

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Before the startup message, a signal reaches Python's own handler, whose exception may be
        lost.

        uvloop accepts one connection of a socket in each turn of the event loop, and a busy turn is
        long. So it gets several descriptors of every socket."""
        given = sockets or []
        await self.on_tick(0)  # sets the header Date, before the first socket is open
        for each in given:  # or a copy makes it blocking for all workers that share it
            each.setblocking(False)
        self.copies = [each.dup() for each in given for _ in range(1, ACCEPTED_AT_ONCE)]
        await super().startup(given + self.copies if given else None)
        if self.started:
            self.collecting = asyncio.create_task(GarbageCollector(self.streams).run())
            if self.greeting:
                self.greeting.show(self.settings.log_as_json)

    async def on_tick(self, counter: int) -> bool:
        self.ticked = time.monotonic()
        return await super().on_tick(counter)

    def leave(self) -> None:
        """Stop as after a signal. Thread-safe."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop in steps; a second Ctrl-C skips the waiting."""
        self.health.stopping, self.health.is_replaced = True, self.is_replaced.value
        await self._wait(asyncio.sleep(self.settings.drain))
        began = time.monotonic()
        await self._wait(self._end_streams())
        for listener in self.servers:
            listener.close()
        await self._wait(asyncio.sleep(ACCEPTED_SECONDS))
        most, spent = self.settings.shutdown_seconds, time.monotonic() - began
        self.config.timeout_graceful_shutdown = min(most, max(round(most - spent), LEAST_SECONDS))
        await super().shutdown([*(sockets or []), *self.copies])
        if self.collecting:
            self.collecting.cancel()

    async def _wait(self, work: Coroutine[object, None, None]) -> None:
        task = asyncio.create_task(work)
        while not task.done() and not self.force_exit:
            await self.on_tick(0)  # updates the header Date
            await asyncio.wait([task], timeout=TICK_SECONDS)
        task.cancel()

    async def _end_streams(self) -> None:
        await self.streams.drain(self.settings.spread)
        for _ in range(round(LEAVE_SECONDS / TICK_SECONDS)):
            if self.streams.open:
                await asyncio.sleep(TICK_SECONDS)
        for connection in list(self.server_state.connections):
            if not isinstance(connection, HttpToolsProtocol):  # a WebSocket
                connection.transport.abort()
