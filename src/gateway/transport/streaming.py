"""Delivery: the messages of one subscription as the body of one response, whatever their form."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import orjson
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.protocols.http11 import transport
from gateway.protocols.slow_clients import SlowClientDetector
from graph.core.execution.operation import OperationResult
from graph.core.subscriptions.sink import Message, Sink

PING_SECONDS = 12.0  # of silence; proxies end what is silent for 30 or 60
LEAVE_SECONDS = 2.0  # for what is on its way, once the gateway stops

HEADERS = {
    "cache-control": "no-store, no-transform",
    "vary": "Accept",
    "x-accel-buffering": "no",  # nginx would collect messages until its buffer is full
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class StreamFormat:
    """How messages look on the way: `message` takes a payload of JSON and its cursor."""

    content_type: str
    opening: Callable[[], bytes]
    message: Callable[[bytes, str | None], bytes]
    silence: bytes
    completed: bytes
    interrupted: bytes  # the last words where it is we who break off

    def whole(self, payload: bytes) -> Response:
        """A response that consists of one message."""
        body = [self.opening(), self.message(payload, None), self.completed]
        return Response(b"".join(body), headers=self.headers)

    @property
    def headers(self) -> dict[str, str]:
        return {"content-type": self.content_type, **HEADERS}


class StreamSink:
    """One subscriber's end, with room for one message: an Outlet."""

    def __init__(self, form: StreamFormat) -> None:
        self.form = form
        self.chunk = b""  # what waits
        self.news = asyncio.Event()
        self.idle = True  # nothing is on its way to the client
        self.over = False
        self.limit: asyncio.Timeout | None = None

    @property
    def ready(self) -> bool:
        return self.idle and not self.chunk and not self.over

    def send(self, message: Message) -> None:
        self._put(message.written(self.form.message))

    def end(self, errors: list[dict[str, Any]] | None = None) -> None:
        told = self.form.message(orjson.dumps({"errors": errors}), None) if errors else b""
        self._end(told + self.form.completed)

    def leave(self) -> None:
        """Breaks off, so that the client comes back; a client that does not read gets less time."""
        self._end(self.form.interrupted)
        self._limit(LEAVE_SECONDS)

    async def deliver(self, send: Send, connection: asyncio.Transport | None) -> None:
        """Sends what comes until it ends. Raises TimeoutError when the client does not read."""
        pace = SlowClientDetector(connection, partial(self._limit, 0))
        chunk, more = self.form.opening(), True
        while more:
            await self._send(send, chunk, more, pace)
            chunk, more = await self._next()
        await self._send(send, chunk, more, pace)

    async def _next(self) -> tuple[bytes, bool]:
        """What to send next, and whether more follows."""
        self.idle = True
        with suppress(TimeoutError):
            async with asyncio.timeout(PING_SECONDS):
                await self.news.wait()
        self.news.clear()
        self.idle = False
        chunk, self.chunk = self.chunk, b""
        return chunk or (b"" if self.over else self.form.silence), not self.over

    async def _send(self, send: Send, chunk: bytes, more: bool, pace: SlowClientDetector) -> None:
        try:
            async with asyncio.timeout(LEAVE_SECONDS if self.over else None) as self.limit:
                await send({"type": "http.response.body", "body": chunk, "more_body": more})
                if more:  # nothing, but it has to wait until what was sent is on its way
                    pace.begin()
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
        finally:
            pace.end()
            self.limit = None

    def _limit(self, seconds: float) -> None:
        """What is being sent must be on its way in that time."""
        if self.limit and not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time() + seconds)

    def _put(self, chunk: bytes) -> None:
        self.chunk += chunk
        self.news.set()

    def _end(self, chunk: bytes) -> None:
        if not self.over:
            self.over = True
            self._put(chunk)


class Opened(Protocol):
    """What is delivered; it is closed when the client has gone or nothing more comes."""

    def close(self) -> None: ...


class Open(Protocol):
    """Opens a subscription for an outlet, after a cursor where one is given."""

    async def __call__(
        self, sink: Sink, /, after: str | None = None
    ) -> Opened | OperationResult: ...


class SubscriptionResponse(Response):
    """The response that is a subscription, from its opening to its end.

    `admit` gives it a place among the streams, or raises Refused; an answer that says why it cannot
    be opened is sent as `refused` makes a response of it.
    """

    def __init__(
        self,
        form: StreamFormat,
        open: Open,
        admit: Callable[[Callable[[], None]], AbstractContextManager[Any]],
        refused: Callable[[OperationResult], Response],
    ) -> None:
        super().__init__()
        self.form = form
        self.open = open
        self.admit = admit
        self.refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Refused."""
        slot = StreamSink(self.form)
        with self.admit(slot.leave):
            opened = await self.open(slot)
            if isinstance(opened, OperationResult):
                await self.refused(opened)(scope, receive, send)
                return
            try:
                await self._deliver(slot, scope, receive, send)
            finally:
                opened.close()

    async def _deliver(self, slot: StreamSink, scope: Scope, receive: Receive, send: Send) -> None:
        begin = Response(headers=self.form.headers)
        del begin.headers["content-length"]
        start = {"type": "http.response.start", "status": 200, "headers": begin.raw_headers}
        connection = transport(scope)
        await send(start)
        gone = asyncio.create_task(_hung_up(receive, slot))
        try:
            await slot.deliver(send, connection)
        except TimeoutError:
            log.info("stream broken off: its client does not read")
            if connection:  # closing it would wait for a client that does not read
                connection.abort()
            await gone
        finally:
            gone.cancel()


async def _hung_up(receive: Receive, slot: StreamSink) -> None:
    """Ends the delivery when the client hangs up, whatever it sends before that."""
    while (await receive())["type"] != "http.disconnect":
        pass
    slot.leave()
