"""Streaming: the messages of one subscription as one response body, in any format."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import Protocol

import orjson
import structlog
from graphql import GraphQLFormattedError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.protocols.http11 import transport
from gateway.protocols.slow_clients import SlowClientDetector
from gateway.transport.formats import StreamFormat
from graph.core.execution.result import OperationResult
from graph.core.subscriptions.heartbeat import SILENCE_SECONDS
from graph.core.subscriptions.sink import Message, Sink

LEAVE_SECONDS = 2.0  # for bytes in flight when the gateway stops

log = structlog.get_logger()


class StreamSink:
    """The Sink of one client, with room for one message."""

    def __init__(self, format: StreamFormat) -> None:
        self.format = format
        self.chunk = b""  # pending bytes
        self.pending = asyncio.Event()
        self.idle = True  # no bytes in flight
        self.over = False
        self.limit: asyncio.Timeout | None = None

    @property
    def ready(self) -> bool:
        return self.idle and not self.chunk and not self.over

    def send(self, message: Message) -> None:
        self._put(message.written(self.format.message))

    def end(self, errors: list[GraphQLFormattedError] | None = None) -> None:
        error = self.format.message(orjson.dumps({"errors": errors}), None) if errors else b""
        self._end(error + self.format.completed)

    def leave(self) -> None:
        """Interrupt the stream, so that the client reconnects. Do not wait long for a client that
        does not read."""
        self._end(self.format.interrupted)
        self._limit_send(LEAVE_SECONDS)

    async def deliver(self, send: Send, connection: asyncio.Transport | None) -> None:
        """Send messages until the stream ends. Raises TimeoutError if the client does not read."""
        detector = SlowClientDetector(connection, partial(self._limit_send, 0))
        chunk, more = self.format.opening(), True
        while more:
            await self._send(send, chunk, more, detector)
            chunk, more = await self._next()
        await self._send(send, chunk, more, detector)

    async def _next(self) -> tuple[bytes, bool]:
        self.idle = True
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE_SECONDS):
                await self.pending.wait()
        self.pending.clear()
        self.idle = False
        chunk, self.chunk = self.chunk, b""
        return chunk or (b"" if self.over else self.format.silence), not self.over

    async def _send(
        self, send: Send, chunk: bytes, more: bool, detector: SlowClientDetector
    ) -> None:
        try:
            async with asyncio.timeout(LEAVE_SECONDS if self.over else None) as self.limit:
                await send({"type": "http.response.body", "body": chunk, "more_body": more})
                if more:  # an empty chunk, to wait until the buffer is sent
                    detector.begin()
                    await send({"type": "http.response.body", "body": b"", "more_body": True})
        finally:
            detector.end()
            self.limit = None

    def _limit_send(self, seconds: float) -> None:
        if self.limit and not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time() + seconds)

    def _put(self, chunk: bytes) -> None:
        self.chunk += chunk
        self.pending.set()

    def _end(self, chunk: bytes) -> None:
        if not self.over:
            self.over = True
            self._put(chunk)


class Opened(Protocol):
    """An open subscription, closed when the client disconnects or the stream ends."""

    def close(self) -> None: ...


class Open(Protocol):
    """Opens a subscription for a sink, after a cursor if one is given."""

    async def __call__(
        self, sink: Sink, /, after: str | None = None
    ) -> Opened | OperationResult: ...


class SubscriptionResponse(Response):
    """A response that streams a subscription.

    `admit` counts it among the open streams, or raises HttpError. `refused` makes the response if
    the subscription cannot be opened.
    """

    def __init__(
        self,
        format: StreamFormat,
        open: Open,
        admit: Callable[[Callable[[], None]], AbstractContextManager[object]],
        refused: Callable[[OperationResult], Response],
    ) -> None:
        super().__init__()
        self.format = format
        self.open = open
        self.admit = admit
        self.refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sink = StreamSink(self.format)
        with self.admit(sink.leave):
            opened = await self.open(sink)
            if isinstance(opened, OperationResult):
                await self.refused(opened)(scope, receive, send)
                return
            try:
                await self._deliver(sink, scope, receive, send)
            finally:
                opened.close()

    async def _deliver(self, sink: StreamSink, scope: Scope, receive: Receive, send: Send) -> None:
        begin = Response(headers=self.format.headers)
        del begin.headers["content-length"]
        start = {"type": "http.response.start", "status": 200, "headers": begin.raw_headers}
        connection = transport(scope)
        await send(start)
        gone = asyncio.create_task(_end_on_disconnect(receive, sink))
        try:
            await sink.deliver(send, connection)
        except TimeoutError:
            log.info("stream interrupted: the client does not read")
            if connection:  # closing it would wait for a client that does not read
                connection.abort()
            await gone
        finally:
            gone.cancel()


async def _end_on_disconnect(receive: Receive, sink: StreamSink) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    sink.leave()
