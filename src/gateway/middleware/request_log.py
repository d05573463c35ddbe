"""Telemetry: one line per request, two per WebSocket, and lines of the libraries in the same form.

A line holds method, path, status, duration, request id, and the operation's name and kind; never
variables, the text of a query or a path that the gateway does not serve, which may hold what users
keep to themselves.
"""

import time
from collections.abc import Sequence
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import log_format
from gateway.errors import masked
from gateway.request_record import record_of
from gateway.settings import Settings

BROKEN = {"code": 1006}  # nobody said anything
CLIENT_GONE = 499  # not a status anybody receives; the log's word for a caller who hung up
OTHER_PATH = "(other)"  # of no route

log = structlog.get_logger()


class RequestLog:
    """Gives each request an id, logs it when it is answered, and answers when the rest failed."""

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
            log.exception("the gateway cannot start or stop as it should")
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
        answer = _Answer(send, request_id)
        began = time.perf_counter()
        await self._answer(scope, receive, answer)
        duration = round((time.perf_counter() - began) * 1000, 2)
        log.info("request", status=answer.status, duration_ms=duration)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer)
        except ClientDisconnect:
            answer.status = CLIENT_GONE
        except Exception:
            log.exception("request failed")
            if answer.status:
                raise  # the answer has begun: only breaking the connection tells the caller
            await masked(answer.request_id)(scope, receive, answer)


class _Answer:
    """Sends an answer on its way, with headers that every answer has, and remembers its status."""

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
    """The messages of a WebSocket on their way; remembers how it ended: with which code, or with
    the status of an answer instead of it."""

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


def bind_log_context(**details: Any) -> None:
    """Adds details to every further line about the request in hand."""
    structlog.contextvars.bind_contextvars(**details)


def configure(settings: Settings) -> None:
    """Makes the gateway and its libraries log as the settings say."""
    log_format.configure(settings.log_as_json, settings.log_level)
