"""Request log: one line per request, two per WebSocket, and the lines of libraries in that format.

A line holds method, path, status, duration, request id, and the operation's name and kind. It never
holds variables, the text of a query or the path of an unknown route, which may be private. Above
200 requests a second a line stands for several (middleware/recorder).
"""

import time
from collections.abc import Sequence

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db.core.error_codes import ErrorCode
from gateway import log_format
from gateway.errors import masked
from gateway.log_context import current_record
from gateway.middleware.recorder import Recorder
from gateway.middleware.refusals import is_refusal
from gateway.request_record import RequestRecord, record_of
from gateway.settings import Settings

BROKEN = {"code": 1006}  # no close frame was sent
CLIENT_GONE = 499  # the client disconnected
OTHER_PATH = "(other)"  # of no route

log = structlog.get_logger()


class RequestLog:
    """Records each request, and responds with 500 to an unexpected failure."""

    def __init__(self, app: ASGIApp, recorder: Recorder, routes: Sequence[BaseRoute] = ()) -> None:
        self.app = app
        self.recorder = recorder
        known = [route for route in routes if isinstance(route, Route | WebSocketRoute)]
        self.paths = frozenset(each.path for each in known if "{" not in each.path)
        self.templates = [(each.path_regex, each.path) for each in known if "{" in each.path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        record = record_of(scope)
        record.method = scope.get("method", "WEBSOCKET")
        record.path = self._route(scope["path"])
        record.is_connection = scope["type"] == "websocket"
        current_record.set(record)
        self.recorder.begin(record)
        if scope["type"] == "http":
            await self._request(scope, receive, send, record)
        else:
            await self._socket(scope, receive, send)

    def _route(self, path: str) -> str:
        if path in self.paths:
            return path
        return next((name for regex, name in self.templates if regex.match(path)), OTHER_PATH)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except Exception:
            log.exception("the gateway failed to start or stop")
            raise

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = _Socket(receive, send)
        began = time.perf_counter()
        try:
            await self.app(scope, socket.receive, socket.send)
        finally:
            duration = round((time.perf_counter() - began) * 1000, 2)
            log.info("socket closed", duration_ms=duration, **(socket.end or BROKEN))

    async def _request(
        self, scope: Scope, receive: Receive, send: Send, record: RequestRecord
    ) -> None:
        exchange = _Exchange(receive, send, record.request_id)
        try:
            await self._respond(scope, exchange, record)
        finally:
            exchange.fill(record)
            self.recorder.finish(record)

    async def _respond(self, scope: Scope, exchange: "_Exchange", record: RequestRecord) -> None:
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            exchange.status = CLIENT_GONE
        except Exception:
            log.exception("request failed")
            record.error = ErrorCode.INTERNAL_SERVER_ERROR
            if exchange.status:
                raise  # the response has begun: only closing the connection signals the failure
            await masked(record.request_id)(scope, exchange.receive, exchange.send)


class _Exchange:
    """Measures one request and its response, and sends the common headers."""

    __slots__ = ("_receive", "_request_id", "_send", "request_bytes", "response_bytes", "status")

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive, self._send = receive, send
        self._request_id = request_id
        self.status = 0  # until a response begins
        self.request_bytes = self.response_bytes = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.request_bytes += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            headers["x-content-type-options"] = "nosniff"
        else:
            self.response_bytes += len(message.get("body", b""))
        await self._send(message)

    def fill(self, record: RequestRecord) -> None:
        fill(record, self.status or 500, self.request_bytes, self.response_bytes)


def fill(record: RequestRecord, status: int, request_bytes: int, response_bytes: int) -> None:
    """Set what is known of a request when its response is sent."""
    record.status = status
    if status >= 500 and not record.error:
        record.error = ErrorCode.of_status(status)
    record.refused = record.refused or is_refusal(status, record.operation)
    record.request_bytes = request_bytes
    record.response_bytes = response_bytes


class _Socket:
    """Passes the messages of a WebSocket on, and keeps its close code, or the status of a refused
    handshake."""

    __slots__ = ("_receive", "_send", "end")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.end: dict[str, int] = {}

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            self.end = self.end or {"code": message["code"]}
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "websocket.accept":
            log.info("socket opened")
        elif message["type"] == "websocket.close":
            self.end = self.end or {"code": int(message["code"])}
        elif message["type"] == "websocket.http.response.start":
            self.end = {"status": message["status"]}
        await self._send(message)


def configure(settings: Settings) -> None:
    log_format.configure(settings.log_as_json, settings.log_level)
