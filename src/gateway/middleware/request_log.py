"""Request log: one line per request, two per WebSocket, and the lines of libraries in that format.

A line holds method, path, status, duration, request id, and the operation's name and kind. It never
holds variables, the text of a query or the path of an unknown route, which may be private.
"""

import time
from collections.abc import Sequence

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import log_format
from gateway.errors import masked
from gateway.request_record import record_of
from gateway.settings import Settings

BROKEN = {"code": 1006}  # no close frame was sent
CLIENT_GONE = 499  # in the log only: the client disconnected
OTHER_PATH = "(other)"  # of no route

log = structlog.get_logger()


class RequestLog:
    """Logs each request, and responds with 500 to an unexpected failure."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute] = ()) -> None:
        self.app = app
        self.paths = frozenset(getattr(route, "path", None) for route in routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        request_id = record_of(scope).request_id
        structlog.contextvars.clear_contextvars()
        method = scope.get("method", "WEBSOCKET")
        path = scope["path"] if scope["path"] in self.paths else OTHER_PATH
        bind_log_context(request_id=request_id, method=method, path=path)
        if scope["type"] == "http":
            await self._request(scope, receive, send, request_id)
        else:
            await self._socket(scope, receive, send)

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

    async def _request(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        response = _Response(send, request_id)
        began = time.perf_counter()
        await self._respond(scope, receive, response)
        duration = round((time.perf_counter() - began) * 1000, 2)
        log.info("request", status=response.status, duration_ms=duration)

    async def _respond(self, scope: Scope, receive: Receive, response: "_Response") -> None:
        try:
            await self.app(scope, receive, response)
        except ClientDisconnect:
            response.status = CLIENT_GONE
        except Exception:
            log.exception("request failed")
            if response.status:
                raise  # the response has begun: only closing the connection signals the failure
            await masked(response.request_id)(scope, receive, response)


class _Response:
    """Sends a response with the common headers, and keeps its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self.send = send
        self.request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self.request_id
            headers["x-content-type-options"] = "nosniff"
        await self.send(message)


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


def bind_log_context(**details: object) -> None:
    structlog.contextvars.bind_contextvars(**details)


def configure(settings: Settings) -> None:
    log_format.configure(settings.log_as_json, settings.log_level)
