"""Socket: one WebSocket from its first message to its last, in graphql-transport-ws."""

import asyncio
from contextlib import ExitStack, closing
from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from graphql import GraphQLError
from starlette.requests import HTTPConnection
from starlette.types import Receive, Send

from db.core.errors import Unavailable
from gateway.allowance import Allowance
from gateway.auth import clients
from gateway.errors import HttpError
from gateway.middleware import request_log
from gateway.middleware.refusals import are_refusals
from gateway.middleware.request_events import RequestRecord, hashed
from gateway.protocols import websocket
from gateway.transport import params
from gateway.transport.connections import OpenStream
from gateway.transport.executor import Executor
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
from graph.core.execution.operation import InvalidOperation, OperationResult, execute
from graph.core.permission import Principal
from graph.core.types.errors import coded, formatted

INIT_SECONDS = 10.0
MAX_OPERATIONS = 20  # at once
MESSAGES_PER_SECOND = 50
BURST = 100  # messages, after a time of silence
UNIDENTIFIED = "Too many sockets wait for connection_init: send it at once"
CROWDED = f"A socket takes {MAX_OPERATIONS} operations at once: complete one, or open another."

log = structlog.get_logger()


class WebSocketConnection:
    """One accepted connection and the operations on it."""

    __slots__ = (
        "_allowance",
        "_closing",
        "_connection",
        "_executor",
        "_receive",
        "_request_id",
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
        self._request_id: str = connection.scope["state"]["request_id"]
        self._subscribers: dict[str, WebSocketSink] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._started = 0
        self._closing: asyncio.Task[None] | None = None
        self._allowance = Allowance(MESSAGES_PER_SECOND, BURST)

    async def run(self, stream: OpenStream) -> None:
        """Speaks until either side closes; returns when no operation runs any more."""
        try:
            await self._converse(stream)
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
        """Sends the client elsewhere."""
        self._end(CloseCode.RESTARTING, "Service restart")

    def give_up(self) -> None:
        """Closes a socket that has not said who it is, in favour of another."""
        self._end(CloseCode.TRY_AGAIN, UNIDENTIFIED)

    # The conversation:

    async def _converse(self, stream: OpenStream) -> None:
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
        self._take_place(stream, principal)
        forbidden = partial(self._end, CloseCode.FORBIDDEN, "Forbidden")
        auth = self._executor.auth
        with auth.watched(self._connection, principal, forbidden, authorization):
            self._writer.write(ACKNOWLEDGED)
            while message := await self._next():
                self._handle(message, principal)

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
        except Unavailable as away:
            raise ConnectionClosed(CloseCode.TRY_AGAIN, away.message) from None

    def _take_place(self, stream: OpenStream, principal: Principal) -> None:
        try:
            stream.belongs_to(clients.client_of(self._connection, principal))
        except HttpError as refused:
            raise ConnectionClosed(CloseCode.TRY_AGAIN, str(refused)) from None

    def _handle(self, message: Message, principal: Principal) -> None:
        if isinstance(message, ConnectionInit):
            reason = "Too many initialisation requests"
            raise ConnectionClosed(CloseCode.TOO_MANY_INITIALISATIONS, reason)
        if isinstance(message, Subscribe):
            self._subscribe(message, principal)
        elif isinstance(message, Complete):
            if subscriber := self._subscribers.get(message.id):
                subscriber.leave()
        else:
            self._answer_ping(message)

    def _answer_ping(self, message: Message) -> None:
        if isinstance(message, Ping):
            self._writer.write(pong(message.payload))

    async def _next(self) -> Message | None:
        """The next message, None when the connection is over. Raises Closed."""
        await self._writer.room()  # a client that does not read is not listened to either
        event = await self._receive()
        if event["type"] == "websocket.disconnect" or self._closing:
            return None
        if not self._allowance.take():
            raise ConnectionClosed(CloseCode.TRY_AGAIN, "Too many messages")
        if (text := event.get("text")) is None:
            raise ConnectionClosed(CloseCode.BAD_REQUEST, "Invalid message: it must be text")
        return parse_message(text)

    # The end:

    def _end(self, code: CloseCode, reason: str) -> None:
        """Closes from outside the conversation, which hears of it like the client."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: CloseCode, reason: str) -> None:
        if not await self._writer.cleared():
            return
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            log.debug("the client had gone before it was told")

    # Operations:

    def _subscribe(self, message: Subscribe, principal: Principal) -> None:
        if message.id in self._subscribers:
            reason = f"Subscriber for {message.id} already exists"
            raise ConnectionClosed(CloseCode.SUBSCRIBER_EXISTS, reason)
        self._started += 1
        record = RequestRecord(f"{self._request_id}.{self._started}", principal)
        subscriber = WebSocketSink(
            message.id, self._writer, partial(self._over, message.id, record)
        )
        if max(len(self._subscribers), len(self._running)) >= MAX_OPERATIONS:
            crowded = coded(CROWDED, "RATE_LIMITED")
            subscriber.end(_formatted_errors(record, crowded))
            return
        self._subscribers[message.id] = subscriber
        task = asyncio.create_task(self._run(message, subscriber, record))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _over(self, id: str, record: RequestRecord) -> None:
        """Nothing more is said under an id."""
        self._subscribers.pop(id, None)
        if self._executor.recorder.is_sampled():
            self._executor.recorder.record(self._connection.scope, record)

    async def _run(
        self, message: Subscribe, subscriber: WebSocketSink, record: RequestRecord
    ) -> None:
        request_log.bind_log_context(request_id=record.request_id)
        try:
            await self._serve(message, subscriber, record)
        except HttpError as refused:
            subscriber.end(_formatted_errors(record, coded(str(refused), refused.code)))
        except InvalidOperation as failed:
            subscriber.end(_formatted_errors(record, *failed.errors))
        except Exception as cause:
            record.failed = True
            failure = GraphQLError(str(cause), original_error=cause)  # masked, and logged
            subscriber.end(_formatted_errors(record, failure))

    async def _serve(
        self, message: Subscribe, subscriber: WebSocketSink, record: RequestRecord
    ) -> None:
        executor, principal = self._executor, record.principal
        client = clients.client_of(self._connection, principal)
        await executor.turns.next(client.name if client else clients.DEVELOPERS)
        given = params.from_message(message.text, executor.most_values(principal))
        record.request_bytes = len(message.text.encode())
        executor.check_size(given)
        record.document = hashed(given.query)
        account = executor.accounts.account(self._connection, principal)
        operation = await executor.prepare(given, principal, account)
        record.operation, record.kind = operation.short_name, operation.kind
        log.info("operation", operation=record.operation, kind=operation.kind)
        context = partial(
            executor.context, client, operation, principal, account, record.request_id
        )
        if operation.kind != "subscription":
            with closing(executor.rooms.claim(client)) as claim:
                answer = await execute(operation, given.variables, context(claim=claim))
                record.refused = not answer.executed and are_refusals(answer.errors)
                subscriber.answer(answer)
                await self._writer.room()
            return
        with ExitStack() as held:
            held.enter_context(closing(executor.standing(client, operation)))
            opened = await executor.broker.open(operation, given.variables, context(), subscriber)
            if isinstance(opened, OperationResult):
                record.refused = are_refusals(opened.errors)
                subscriber.end(opened.errors)
            else:
                held.callback(opened.close)
                subscriber.follow(held.pop_all())


def _formatted_errors(record: RequestRecord, *errors: GraphQLError) -> list[dict[str, Any]]:
    told = [formatted(error, record.request_id) for error in errors]
    record.refused = are_refusals(told)
    return told
