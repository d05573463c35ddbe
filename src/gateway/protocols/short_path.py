"""Short path: requests that are answered without ASGI.

ASGI's scope, task, messages and middleware take longer than a small operation. So a request whose
head is accepted is handed over as soon as its body is here; any other is left to uvicorn. Heads
that are sent again byte for byte are not parsed again. Decision 37.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Generic, Protocol, TypeVar

from gateway.protocols.http11 import Http11Protocol
from gateway.protocols.slow_clients import LARGE, SlowClientDetector

MAX_HEADS = 2_000  # that are kept
LONGEST_HEAD = 2 * 1024  # bytes of a head that is kept
END_OF_HEAD = b"\r\n\r\n"

RawHeaders = Sequence[tuple[bytes, bytes]]


class AcceptedHead(Protocol):
    """What is known of a request by its head."""

    @property
    def length(self) -> int: ...

    @property
    def is_repeated(self) -> bool:
        """True if the client may send the same bytes again."""


HeadT = TypeVar("HeadT", bound=AcceptedHead)


class ShortPath(Protocol[HeadT]):
    """Answers requests."""

    def accept(self, method: bytes, target: bytes, headers: RawHeaders) -> HeadT | None:
        """What is known of a request by its head; None if it takes the ordinary way."""

    def start(self, head: HeadT, body: bytes, exchange: "Exchange") -> bool:
        """Start answering. False, without any effect, if the request takes the ordinary way."""


class Heads(Generic[HeadT]):
    """Accepted heads by their bytes."""

    def __init__(self, path: ShortPath[HeadT]) -> None:
        self.path = path
        self.known: dict[bytes, HeadT] = {}
        self._default: list[tuple[bytes, bytes]] = []
        self._default_bytes = b""

    def default_bytes(self, default: list[tuple[bytes, bytes]]) -> bytes:
        """The headers of every response, which uvicorn replaces once a second."""
        if default is not self._default:
            self._default = default
            self._default_bytes = b"".join([b"%b: %b\r\n" % line for line in default])
        return self._default_bytes

    def keep(self, raw: bytes, head: HeadT) -> None:
        if len(raw) > LONGEST_HEAD or not head.is_repeated:
            return
        if len(self.known) >= MAX_HEADS:
            self.known.clear()
        self.known[raw] = head


class NoEvent:
    """The event that uvicorn sets for the receiver of ASGI messages, of which there is none."""

    def set(self) -> None: ...


NO_EVENT = NoEvent()


class Exchange:
    """A request on the short path, and its response. For uvicorn it is a cycle in progress, so that
    later requests of the connection wait, and a stop of the server waits for it."""

    __slots__ = ("body", "disconnected", "keep_alive", "protocol", "response_complete")

    def __init__(self, protocol: "ShortPathProtocol", keep_alive: bool) -> None:
        self.protocol = protocol
        self.keep_alive = keep_alive
        self.disconnected = False
        self.response_complete = False
        self.body = bytearray()

    @property
    def response_started(self) -> bool:
        return self.response_complete

    @property
    def message_event(self) -> NoEvent:
        return NO_EVENT

    @property
    def peer(self) -> str:
        return self.protocol.client[0] if self.protocol.client else ""

    def run(self, work: Coroutine[object, None, None]) -> None:
        """Run the work in a task, which a stop of the server waits for."""
        task = self.protocol.loop.create_task(work)
        self.protocol.tasks.add(task)
        task.add_done_callback(self.protocol.tasks.discard)

    def abort(self) -> None:
        self.protocol.transport.abort()

    def respond_soon(self, status_line: bytes, headers: bytes, body: bytes) -> None:
        """Send a response, without waiting unless it is large or others wait before it."""
        if self.protocol.flow.write_paused or len(body) > LARGE:
            self.run(self.respond(status_line, headers, body))
            return
        self._write(status_line, headers, body)
        self._complete()

    async def respond(self, status_line: bytes, headers: bytes, body: bytes) -> None:
        """Send the response, and wait until a large body has left the buffer. A client that does
        not read is disconnected."""
        flow, transport = self.protocol.flow, self.protocol.transport
        if flow.write_paused and not self.disconnected:
            await flow.drain()
        self._write(status_line, headers, body)
        if len(body) > LARGE and flow.write_paused:
            detector = SlowClientDetector(transport, transport.abort)
            detector.begin()
            try:
                await flow.drain()
            finally:
                detector.end()
        self._complete()

    def _write(self, status_line: bytes, headers: bytes, body: bytes) -> None:
        if self.disconnected:
            return
        end = b"\r\n" if self.keep_alive else b"connection: close\r\n\r\n"
        default = self.protocol.default_headers
        self.protocol.transport.write(b"".join((status_line, default, headers, end, body)))

    def _complete(self) -> None:
        self.response_complete = True
        if not self.keep_alive:
            self.protocol.transport.close()
        self.protocol.on_response_complete()


class ShortPathProtocol(Http11Protocol):
    """HTTP/1.1 with the short path."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        self.heads: Heads[AcceptedHead] = self.config.app.state.heads  # type: ignore[union-attr]  # a Starlette
        self.is_between = True  # True between two requests
        self.received = b""  # the bytes that begin with the request in progress
        self.head: AcceptedHead | None = None  # of a request whose body is not here yet
        self.body = bytearray()

    @property
    def default_headers(self) -> bytes:
        return self.heads.default_bytes(self.server_state.default_headers)

    def data_received(self, data: bytes) -> None:
        if self.is_between and not self.is_answering and self._is_known(data):
            self._watch()
            return
        self.received = data if self.is_between else b""
        super().data_received(data)
        self.received = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if self.head is not None:
            self._leave_short_path()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.is_between = False

    def start_request(self) -> None:
        self.head = None if self.is_answering else self._accepted()
        if self.head is None:
            super().start_request()

    def take_body(self, body: bytes) -> None:
        if self.head is None:
            super().take_body(body)
        else:
            self.body += body

    def end_request(self) -> None:
        self.is_between = True
        if self.head is None or not self._start_received(self.head):
            super().end_request()
        self.received = b""

    @property
    def awaits_body(self) -> bool:
        return self.head is not None or super().awaits_body

    def _is_known(self, data: bytes) -> bool:
        """Start a request that is here as a whole, with a known head."""
        end = data.find(END_OF_HEAD) + len(END_OF_HEAD)
        head = self.heads.known.get(data[:end])
        if head is None or len(data) - end != head.length or self.transport.is_closing():
            return False
        if not self._start(head, data[end:], keep_alive=not self.is_stopping):
            return False
        self.keep_alive.end()
        self.idleness.end()
        self.until = None
        return True

    def _accepted(self) -> AcceptedHead | None:
        parser = self.parser
        if parser.get_http_version() != "1.1" or parser.should_upgrade():
            return None
        if self.expect_100_continue:
            return None
        return self.heads.path.accept(parser.get_method(), self.url, self.headers)

    def _start(self, head: AcceptedHead, body: bytes, keep_alive: bool) -> bool:
        exchange = Exchange(self, keep_alive)
        if not self.heads.path.start(head, body, exchange):
            return False
        self.cycle = exchange  # type: ignore[assignment]  # has what uvicorn uses of a cycle
        return True

    def _start_received(self, head: AcceptedHead) -> bool:
        keep_alive = self.parser.should_keep_alive() and not self.is_stopping
        if not self._start(head, bytes(self.body), keep_alive):
            self._leave_short_path()
            return False
        if keep_alive:
            self._keep(head)
        self._forget()
        return True

    def _keep(self, head: AcceptedHead) -> None:
        data, end = self.received, self.received.find(END_OF_HEAD) + len(END_OF_HEAD)
        if len(data) - end == head.length:
            self.heads.keep(data[:end], head)

    def _leave_short_path(self) -> None:
        """Hand the request, as far as it is here, to uvicorn."""
        body = bytes(self.body)
        self._forget()
        super().start_request()
        if body:
            super().take_body(body)

    def _forget(self) -> None:
        self.head = None
        self.body.clear()
