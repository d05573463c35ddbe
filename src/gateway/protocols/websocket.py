"""WebSocket: uvicorn's protocol with two differences.

A client that does not read is disconnected, a slow one is not. uvicorn closes the connections of
both, and closing waits until all written bytes are read.

Messages can bypass ASGI at a tenth of its cost: the same bytes are written to thousands of
connections, each with a frame header of its own (RFC 6455 §5.2: frames of servers are not masked).
Every write is one whole frame, so frames of both ways cannot mix.
"""

import asyncio
import struct
from typing import Protocol

from starlette.types import Scope
from uvicorn._types import ASGISendEvent
from uvicorn.config import Config
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.http11 import Request
from websockets.protocol import State

from gateway.allowance import Allowance
from gateway.protocols.slow_clients import SlowClientDetector
from graph.core.subscriptions.heartbeat import HEARTBEAT_SECONDS

EXTENSION = "dreamnet.frames"
CLOSING_SECONDS = 5.0  # until a closing handshake is aborted
MAX_MESSAGE = 128 * 1024  # bytes of an incoming message
PING_SECONDS = HEARTBEAT_SECONDS
FRAMES_PER_SECOND, FRAMES_AT_ONCE = 200, 1_000  # of clients: fragments, pings and pongs too
SLICE = 4 * 1024  # bytes that are read at once
TRY_AGAIN = 1013
NOT_TEXT = 1007  # invalid UTF-8

_WHOLE_TEXT = 0x81  # FIN and the opcode of text
_SHORT, _LONG = struct.Struct("!BBH"), struct.Struct("!BBQ")


class MessageWriter(Protocol):
    """Writes text messages. Its methods do not raise if the client has disconnected."""

    @property
    def is_writable(self) -> bool:
        """True if the buffer has room for a message."""

    def write(self, *parts: bytes) -> None:
        """Write one message made of these parts, without waiting."""

    async def room(self) -> None:
        """Wait until it is writable or the client has disconnected."""

    async def cleared(self) -> bool:
        """Wait until a close frame can be sent. False if the connection was aborted, because the
        client does not read."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol. It is also the MessageWriter in the extensions of the scope."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.close_timeout = CLOSING_SECONDS
        self.deadline: asyncio.TimerHandle | None = None
        self.allowance = Allowance(FRAMES_PER_SECOND, FRAMES_AT_ONCE)
        self.is_writable = False

    # MessageWriter; `is_writable` is read for each message to each client:

    @property
    def is_open(self) -> bool:
        return self.handshake_complete and not self.close_sent and not self.transport.is_closing()

    def write(self, *parts: bytes) -> None:
        if self.is_open:
            self.transport.writelines((header(sum(map(len, parts))), *parts))

    async def room(self) -> None:
        await self.writable.wait()

    async def cleared(self) -> bool:
        if not self.writable.is_set():
            self._abort()
        return not self.transport.is_closing()

    # Overrides:

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.slow_client = SlowClientDetector(transport, self._abort)

    def data_received(self, data: bytes) -> None:
        """Read in slices: the parser reads all frames of its input before any is counted."""
        for start in range(0, len(data), SLICE):
            if not self.transport.is_closing():
                super().data_received(data[start : start + SLICE])
        if self.handshake_initiated or self.transport.is_closing():
            return
        if refusal := b"".join(self.conn.data_to_send()):  # of a head, which uvicorn leaves unsent
            self.transport.write(refusal)
            self.transport.close()

    def handle_events(self) -> None:
        if self.allowance.take(len(self.conn.events)):
            super().handle_events()
        elif self.conn.state is State.OPEN:
            self.conn.send_close(TRY_AGAIN, "Too many messages")
            self.handle_parser_exception()

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope["extensions"][EXTENSION] = {"wire": self}

    def start_keepalive(self) -> None:
        super().start_keepalive()
        self.is_writable = True
        del self.request, self.response  # kilobytes that are not used after the handshake

    def pause_writing(self) -> None:
        super().pause_writing()
        self.is_writable = False
        self.slow_client.begin()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.is_writable = self.is_open
        self.slow_client.end()

    def keepalive_timeout(self) -> None:
        if self.writable.is_set():
            self._abort()
        else:  # the ping waits behind what the client is still taking, at a pace that is watched
            self.pong_timer = self.loop.call_later(PING_SECONDS, self.keepalive_timeout)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "bytes" or _is_text(self.frames):
            super().send_receive_event_to_app()
            return
        self.frames = []  # uvicorn would log an error of its own
        if self.conn.state is State.OPEN:  # it may have said goodbye right after
            self.conn.send_close(NOT_TEXT)
            self.handle_parser_exception()

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if self.initial_response and self.close_sent:
            self.handshake_complete = True  # by a refusal, which uvicorn would log as an error

    async def run_asgi(self) -> None:
        await super().run_asgi()
        if not self.disconnected:  # a client that reads has gone long before
            self.deadline = self.loop.call_later(CLOSING_SECONDS, self._abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self.slow_client.end()
        if self.deadline:
            self.deadline.cancel()
        super().connection_lost(exc)

    def _abort(self) -> None:
        self.transport.abort()


def message_writer(scope: Scope) -> MessageWriter | None:
    found: MessageWriter | None = scope.get("extensions", {}).get(EXTENSION, {}).get("wire")
    return found


def header(length: int) -> bytes:
    """The frame header of a text message of `length` bytes."""
    if length < 126:
        return bytes((_WHOLE_TEXT, length))
    if length < 65536:
        return _SHORT.pack(_WHOLE_TEXT, 126, length)
    return _LONG.pack(_WHOLE_TEXT, 127, length)


def _is_text(frames: list[bytes]) -> bool:
    try:
        b"".join(frames).decode()
    except UnicodeDecodeError:
        return False
    return True
