"""Connection: one WebSocket from its first message to its last, in graphql-transport-ws."""

import asyncio
from contextlib import ExitStack
from functools import partial
from http import HTTPStatus

import structlog
from graphql import GraphQLError, GraphQLFormattedError
from starlette.requests import HTTPConnection
from starlette.types import Receive, Send

from db.core.error_codes import ErrorCode
from db.core.errors import Unavailable
from gateway.allowance import Allowance
from gateway.errors import HttpError
from gateway.log_context import current_record
from gateway.middleware.refusals import are_refusals, fault_of
from gateway.protocols import websocket
from gateway.request_record import RequestRecord, record_of
from gateway.transport.connections import OpenStream
from gateway.transport.executor import Execution, Executor
from gateway.transport.params import GraphQLParams, from_message
from gateway.transport.websocket.asgi_writer import AsgiWriter
from gateway.transport.websocket.close_codes import CloseCode, ConnectionClosed
from gateway.transport.websocket.messages import (
    ACKNOWLEDGED,
    Complete,
    ConnectionInit,
    Message,
    Ping,
    Subscribe,
    parse_message,
    pong,
)
from gateway.transport.websocket.operation import WebSocketSink
from graph.core.execution.operation import InvalidOperation
from graph.core.execution.result import OperationResult
from graph.core.principal import Principal
from graph.core.types.errors import coded, formatted

INIT_SECONDS = 10.0
MAX_OPERATIONS = 20  # at once
MESSAGES_PER_SECOND = 50
BURST = 100  # messages at once
UNIDENTIFIED = "Too many connections without connection_init: send it at once"
CROWDED = (
    f"A WebSocket runs at most {MAX_OPERATIONS} operations at once: complete one, or open another "
    "WebSocket."
)

log = structlog.get_logger()


class WebSocketConnection:
    """One accepted connection and the operations on it."""

    __slots__ = (
        "_allowance",
        "_closing",
        "_connection",
        "_executor",
        "_receive",
        "_record",
        "_running",
        "_send",
        "_started",
        "_subscribers",
        "_writer",
    )

    def __init__(
        self, connection: HTTPConnection, receive: Receive, send: Send, executor: Executor
    ) -> None:
        self._connection = connection
        self._receive = receive
        self._send = send
        self._executor = executor
        self._writer = websocket.message_writer(connection.scope) or AsgiWriter(send)
        self._record = record_of(connection.scope)
        self._subscribers: dict[str, WebSocketSink] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._started = 0
        self._closing: asyncio.Task[None] | None = None
        self._allowance = Allowance(MESSAGES_PER_SECOND, BURST)

    async def run(self, stream: OpenStream) -> None:
        try:
            await self._run_protocol(stream)
        except ConnectionClosed as closed:
            await self._close(closed.code, closed.reason)
        except Exception:
            log.exception("socket failed")
            await self._close(CloseCode.FAILED, "Internal error")
        finally:
            for subscriber in list(self._subscribers.values()):
                subscriber.leave()
            if unfinished := {*self._running, *filter(None, [self._closing])}:
                await asyncio.wait(unfinished)

    def leave(self) -> None:
        self._close_later(CloseCode.RESTARTING, "Service restart")

    def give_up(self) -> None:
        """Close an unidentified socket, to make room for another."""
        self._close_later(CloseCode.TRY_AGAIN, UNIDENTIFIED)

    # Messages:

    async def _run_protocol(self, stream: OpenStream) -> None:
        try:
            async with asyncio.timeout(INIT_SECONDS):
                first = await self._first()
        except TimeoutError:
            reason = "Connection initialisation timeout"
            raise ConnectionClosed(CloseCode.INITIALISATION_TIMEOUT, reason) from None
        if first is None:
            return
        authorization = first.authorization
        principal = await self._principal(authorization)
        self._record.principal = principal
        self._identify(stream)
        forbidden = partial(self._close_later, CloseCode.FORBIDDEN, "Forbidden")
        auth = self._executor.auth
        with auth.watched(self._connection, principal, forbidden, authorization):
            self._writer.write(ACKNOWLEDGED)
            while message := await self._next():
                self._handle(message)

    async def _first(self) -> ConnectionInit | None:
        while message := await self._next():
            if isinstance(message, ConnectionInit):
                return message
            if isinstance(message, Subscribe):
                raise ConnectionClosed(CloseCode.UNAUTHORIZED, "Unauthorized")
            self._answer_ping(message)
        return None

    async def _principal(self, authorization: str | None) -> Principal:
        try:
            return await self._executor.auth.principal(self._connection, authorization)
        except HttpError as refused:
            later = refused.status == HTTPStatus.TOO_MANY_REQUESTS
            code = CloseCode.TRY_AGAIN if later else CloseCode.FORBIDDEN
            raise ConnectionClosed(code, str(refused)) from None
        except Unavailable as error:
            raise ConnectionClosed(CloseCode.TRY_AGAIN, error.message) from None

    def _identify(self, stream: OpenStream) -> None:
        try:
            stream.belongs_to(self._record.client)
        except HttpError as refused:
            raise ConnectionClosed(CloseCode.TRY_AGAIN, str(refused)) from None

    def _handle(self, message: Message) -> None:
        if isinstance(message, ConnectionInit):
            reason = "Too many initialisation requests"
            raise ConnectionClosed(CloseCode.TOO_MANY_INITIALISATIONS, reason)
        if isinstance(message, Subscribe):
            self._subscribe(message)
        elif isinstance(message, Complete):
            if subscriber := self._subscribers.get(message.id):
                subscriber.leave()
        else:
            self._answer_ping(message)

    def _answer_ping(self, message: Message) -> None:
        if isinstance(message, Ping):
            self._writer.write(pong(message.payload))

    async def _next(self) -> Message | None:
        """The next message; None once the connection is closed. Raises ConnectionClosed."""
        await self._writer.room()  # do not read from a client that does not read
        event = await self._receive()
        if event["type"] == "websocket.disconnect" or self._closing:
            return None
        if not self._allowance.take():
            raise ConnectionClosed(CloseCode.TRY_AGAIN, "Too many messages")
        if (text := event.get("text")) is None:
            raise ConnectionClosed(CloseCode.BAD_REQUEST, "Invalid message: it must be text")
        return parse_message(text)

    # Closing:

    def _close_later(self, code: CloseCode, reason: str) -> None:
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: CloseCode, reason: str) -> None:
        if not await self._writer.cleared():
            return
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            log.debug("the client disconnected before the close frame")

    # Operations:

    def _subscribe(self, message: Subscribe) -> None:
        if message.id in self._subscribers:
            reason = f"Subscriber for {message.id} already exists"
            raise ConnectionClosed(CloseCode.SUBSCRIBER_EXISTS, reason)
        self._started += 1
        record = self._record.of_operation(self._started)
        self._executor.recorder.begin(record)
        subscriber = WebSocketSink(
            message.id, self._writer, partial(self._over, message.id, record)
        )
        if max(len(self._subscribers), len(self._running)) >= MAX_OPERATIONS:
            crowded = coded(CROWDED, ErrorCode.RATE_LIMITED)
            subscriber.end(_formatted_errors(record, crowded))
            return
        self._subscribers[message.id] = subscriber
        task = asyncio.create_task(self._run(message, subscriber, record))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _over(self, id: str, record: RequestRecord) -> None:
        self._subscribers.pop(id, None)
        self._executor.recorder.finish(record)

    async def _run(
        self, message: Subscribe, subscriber: WebSocketSink, record: RequestRecord
    ) -> None:
        current_record.set(record)
        try:
            await self._serve(message, subscriber, record)
        except HttpError as refused:
            subscriber.end(_formatted_errors(record, coded(str(refused), refused.code)))
        except InvalidOperation as failed:
            subscriber.end(_formatted_errors(record, *failed.errors))
        except Exception as cause:
            failure = GraphQLError(str(cause), original_error=cause)  # masked, and logged
            subscriber.end(_formatted_errors(record, failure))

    async def _serve(
        self, message: Subscribe, subscriber: WebSocketSink, record: RequestRecord
    ) -> None:
        params = await self._params(message, record)
        execution = await self._executor.start(params, record)
        with ExitStack() as held:
            held.callback(execution.close)
            if execution.is_subscription:
                await _follow(execution, subscriber, record, held)
                return
            result = await execution.execute()
            record.refused = not result.executed and are_refusals(result.errors)
            subscriber.send_result(result)
            await self._writer.room()

    async def _params(self, message: Subscribe, record: RequestRecord) -> GraphQLParams:
        await self._executor.turns.next(record.client.name)
        max_values = self._executor.max_values(record.principal)
        params = from_message(message.text, max_values)
        record.request_bytes = len(message.text.encode())
        return params


async def _follow(
    execution: Execution, subscriber: WebSocketSink, record: RequestRecord, held: ExitStack
) -> None:
    execution.hold_document()
    opened = await execution.subscribe(subscriber)
    if isinstance(opened, OperationResult):
        record.refused = are_refusals(opened.errors)
        subscriber.end(opened.errors)
    else:
        held.callback(opened.close)
        subscriber.follow(held.pop_all())


def _formatted_errors(record: RequestRecord, *errors: GraphQLError) -> list[GraphQLFormattedError]:
    found = [formatted(error, record.request_id) for error in errors]
    record.refused = are_refusals(found)
    record.error = fault_of(found)
    return found
