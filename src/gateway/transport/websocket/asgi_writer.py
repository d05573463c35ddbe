"""Relay: messages through ASGI, for servers that have no shorter way."""

import asyncio
from contextlib import suppress

from starlette.types import Send


class AsgiWriter:
    """A Wire with room for one message. It cannot break a connection off, so a client that does
    not read stays for as long as the server lets it."""

    def __init__(self, send: Send) -> None:
        self.send = send
        self.waiting: list[bytes] = []
        self.sending: asyncio.Task[None] | None = None

    @property
    def is_writable(self) -> bool:
        return self.sending is None

    def write(self, *parts: bytes) -> None:
        self.waiting.append(b"".join(parts))
        if self.sending is None:
            self.sending = asyncio.create_task(self._empty())

    async def room(self) -> None:
        if self.sending is not None:
            await asyncio.wait({self.sending})

    async def cleared(self) -> bool:
        await self.room()
        return True

    async def _empty(self) -> None:
        with suppress(OSError):  # the client has gone
            while self.waiting:
                text = self.waiting.pop(0).decode()
                await self.send({"type": "websocket.send", "text": text})
        self.sending = None
