"""HTTP/1.1: uvicorn's protocol with limits on the time and the size of an incoming request, so that
idle and very slow clients are disconnected."""

import asyncio
import re
from http import HTTPStatus

from starlette.types import Scope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from gateway.errors import HttpError, refusal
from gateway.protocols.idle_connections import Idleness
from gateway.protocols.keep_alive import KeepAlive
from gateway.request_record import new_request_id

HEAD_SECONDS = 10.0  # from the connection, or the first byte of a further request, to its body
BODY_SECONDS = 15.0  # for a body, and as much longer as it arrives at the least rate
BODY_RATE = 16 * 1024  # bytes per second
KEEP_ALIVE_SECONDS = 75  # load balancers hang up after 60, and should be the first to do so
MAX_HEAD = 64 * 1024  # bytes of the target and all fields, trailers included

LATE = "The request did not arrive in time."
LARGE = f"The head of the request is larger than {MAX_HEAD} bytes."
ONE_HOST = "Send one field Host, with the name of this server (RFC 9112 §3.2)."
EXTENSION = "dreamnet.transport"

_HOST = re.compile(rb"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(?::[0-9]*)?")


def transport(scope: Scope) -> asyncio.Transport | None:
    """The transport of a request, if the server provides it. It knows the size of its buffer and
    can abort; closing would wait for a client that does not read."""
    found: asyncio.Transport | None = (
        scope.get("extensions", {}).get(EXTENSION, {}).get("transport")
    )
    return found


class Http11Protocol(HttpToolsProtocol):
    """uvicorn's protocol with time limits, and with errors in JSON."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.until: float | None = None  # when what is on its way must be here
        self.watched: float | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.in_head = False
        self.head_bytes = 0  # of the parts of a head that are whole
        self.unread_bytes = 0  # since a request began, or the last part of its body
        self.refused: HttpError | None = None  # by a callback of the parser

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        super().connection_made(transport)
        host = self.client[0] if self.client else ""
        self.idleness = Idleness(self.config.app.state.connections, host, transport.close)  # type: ignore[union-attr]  # a Starlette
        self.idleness.begin()
        self.keep_alive = KeepAlive(
            self.loop, self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        self.until = self.loop.time() + HEAD_SECONDS
        self._watch()

    def data_received(self, data: bytes) -> None:
        self.unread_bytes += len(data)
        super().data_received(data)
        if self.until and self.unread_bytes > MAX_HEAD:
            self._refuse(HttpError(LARGE, 431))
        elif self._is_adrift:
            self.until = self.loop.time() + HEAD_SECONDS
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self.idleness.end()
        self.until = None
        self._watch()
        super().connection_lost(exc)
        self.keep_alive.stop()

    # Callbacks of the parser:

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {EXTENSION: {"transport": self.transport}}
        self.in_head, self.head_bytes, self.unread_bytes = True, 0, 0
        if self.until is None:
            self.until = self.loop.time() + HEAD_SECONDS

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._check_host()
        self.start_request()
        self.in_head = False
        self.until = self.loop.time() + BODY_SECONDS

    def on_body(self, body: bytes) -> None:
        self.unread_bytes = 0
        if self.until:
            self.until += len(body) / BODY_RATE
        self.take_body(body)

    def on_message_complete(self) -> None:
        self.end_request()
        self.idleness.end()
        self.until = None

    # Where another way of answering may begin:

    def start_request(self) -> None:
        super().on_headers_complete()
        if self.is_stopping and self.cycle is not None:
            self.cycle.keep_alive = False

    def take_body(self, body: bytes) -> None:
        super().on_body(body)

    def end_request(self) -> None:
        super().on_message_complete()

    @property
    def is_stopping(self) -> bool:
        """Whether the gateway stops, so that responses close their connections."""
        return bool(self.config.app.state.health.stopping)  # type: ignore[union-attr]  # a Starlette

    @property
    def awaits_body(self) -> bool:
        return self.is_answering

    def handle_websocket_upgrade(self) -> None:
        self.idleness.end()
        self.keep_alive.stop()
        super().handle_websocket_upgrade()

    def on_response_complete(self) -> None:
        """As uvicorn does, but without a new timer for each request."""
        if self.pipeline or self.transport.is_closing():
            super().on_response_complete()
            return
        self.server_state.total_requests += 1
        self.flow.resume_reading()
        self.keep_alive.begin()
        self.idleness.begin()

    def _unset_keepalive_if_required(self) -> None:
        self.keep_alive.end()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self.refused or HttpError(msg))

    def _count(self, size: int) -> None:
        """Raises HttpError, which stops the parser, for a head that is too large."""
        self.head_bytes += size
        if self.head_bytes > MAX_HEAD:
            self._stop(HttpError(LARGE, 431))

    def _check_host(self) -> None:
        hosts = [value for name, value in self.headers if name == b"host"]
        missing = not hosts and self.parser.get_http_version() == "1.1"
        if missing or len(hosts) > 1 or not all(map(_HOST.fullmatch, hosts)):
            self._stop(HttpError(ONE_HOST))

    def _stop(self, refused: HttpError) -> None:
        self.refused = refused
        raise refused

    @property
    def _is_adrift(self) -> bool:
        """True if bytes arrived that are no request, and no timer is set."""
        mine = self in self.connections  # not once it is a WebSocket
        return mine and not (self.until or self.keep_alive.is_waiting or self.is_answering)

    @property
    def is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _watch(self) -> None:
        if self.until == self.watched:
            return
        if self.timer:
            self.timer.cancel()
        self.watched = self.until
        self.timer = self.loop.call_at(self.until, self._late) if self.until else None

    def _late(self) -> None:
        if self.flow.read_paused:  # the gateway is not reading
            self.until = self.loop.time() + BODY_SECONDS
            self._watch()
        elif self.in_head or self.awaits_body:
            self._refuse(HttpError(LATE, 408))
        else:
            self.transport.close()

    def _refuse(self, refused: HttpError) -> None:
        if not (self.is_answering and self.cycle.response_started):
            self.transport.write(_answer(refused))
        self.transport.close()


def _answer(refused: HttpError) -> bytes:
    response = refusal(refused, new_request_id())
    headers = [*response.raw_headers, (b"connection", b"close")]
    lines = [b"%b: %b\r\n" % header for header in headers]
    status = f"HTTP/1.1 {refused.status} {HTTPStatus(refused.status).phrase}\r\n".encode()
    return b"".join([status, *lines, b"\r\n", bytes(response.body)])
