"""ASGI writer: WebSocket messages through ASGI, for servers without our own protocol."""

import asyncio
from contextlib import suppress

from starlette.types import Send


class AsgiWriter:
    """A MessageWriter with room for one message. It cannot disconnect a client that does not
    read; that is left to the server."""

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
