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
from gateway import callers, frames, parameters, telemetry
from gateway.allowance import Allowance
from gateway.errors import Refused
from gateway.refusals import are_refusals
from gateway.requests import Asked, hashed
from gateway.service import Service
from gateway.streams import Stream
from gateway.websocket.codes import Closed, Code
from gateway.websocket.messages import (
    ACKNOWLEDGED,
    Complete,
    Initialise,
    Message,
    Ping,
    Subscribe,
    parsed,
    pong,
)
from gateway.websocket.relay import Relay
from gateway.websocket.subscriber import Subscriber
from graph.core.errors import coded, formatted
from graph.core.operation import Answer, RequestFailed, execute
from graph.core.permission import Principal

INIT_SECONDS = 10.0
MAX_OPERATIONS = 20  # at once
MESSAGES_PER_SECOND = 50
BURST = 100  # messages, after a time of silence
UNIDENTIFIED = "Too many sockets wait for connection_init: send it at once"
CROWDED = f"A socket takes {MAX_OPERATIONS} operations at once: complete one, or open another."

log = structlog.get_logger()


class Socket:
    """One accepted connection and the operations on it."""

    __slots__ = (
        "_allowance",
        "_closing",
        "_connection",
        "_receive",
        "_request_id",
        "_running",
        "_send",
        "_service",
        "_started",
        "_subscribers",
        "_wire",
    )

    def __init__(
        self, connection: HTTPConnection, receive: Receive, send: Send, service: Service
    ) -> None:
        self._connection = connection
        self._receive = receive
        self._send = send
        self._service = service
        self._wire = frames.wire(connection.scope) or Relay(send)
        self._request_id: str = connection.scope["state"]["request_id"]
        self._subscribers: dict[str, Subscriber] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._started = 0
        self._closing: asyncio.Task[None] | None = None
        self._allowance = Allowance(MESSAGES_PER_SECOND, BURST)

    async def run(self, stream: Stream) -> None:
        """Speaks until either side closes; returns when no operation runs any more."""
        try:
            await self._converse(stream)
        except Closed as closed:
            await self._close(closed.code, closed.reason)
        except Exception:
            log.exception("socket failed")
            await self._close(Code.FAILED, "Internal error")
        finally:
            for subscriber in list(self._subscribers.values()):
                subscriber.leave()
            if unfinished := {*self._running, *filter(None, [self._closing])}:
                await asyncio.wait(unfinished)

    def leave(self) -> None:
        """Sends the client elsewhere."""
        self._end(Code.RESTARTING, "Service restart")

    def give_up(self) -> None:
        """Closes a socket that has not said who it is, in favour of another."""
        self._end(Code.TRY_AGAIN, UNIDENTIFIED)

    # The conversation:

    async def _converse(self, stream: Stream) -> None:
        try:
            async with asyncio.timeout(INIT_SECONDS):
                first = await self._first()
        except TimeoutError:
            reason = "Connection initialisation timeout"
            raise Closed(Code.INITIALISATION_TIMEOUT, reason) from None
        if first is None:
            return
        authorization = first.authorization
        principal = await self._principal(authorization)
        self._take_place(stream, principal)
        forbidden = partial(self._end, Code.FORBIDDEN, "Forbidden")
        auth = self._service.auth
        with auth.watched(self._connection, principal, forbidden, authorization):
            self._wire.write(ACKNOWLEDGED)
            while message := await self._next():
                self._heed(message, principal)

    async def _first(self) -> Initialise | None:
        while message := await self._next():
            if isinstance(message, Initialise):
                return message
            if isinstance(message, Subscribe):
                raise Closed(Code.UNAUTHORIZED, "Unauthorized")
            self._answer_ping(message)
        return None

    async def _principal(self, authorization: str | None) -> Principal:
        try:
            return await self._service.auth.principal(self._connection, authorization)
        except Refused as refused:
            later = refused.status == HTTPStatus.TOO_MANY_REQUESTS
            code = Code.TRY_AGAIN if later else Code.FORBIDDEN
            raise Closed(code, str(refused)) from None
        except Unavailable as away:
            raise Closed(Code.TRY_AGAIN, away.message) from None

    def _take_place(self, stream: Stream, principal: Principal) -> None:
        try:
            stream.belongs_to(callers.caller(self._connection, principal))
        except Refused as refused:
            raise Closed(Code.TRY_AGAIN, str(refused)) from None

    def _heed(self, message: Message, principal: Principal) -> None:
        if isinstance(message, Initialise):
            reason = "Too many initialisation requests"
            raise Closed(Code.TOO_MANY_INITIALISATIONS, reason)
        if isinstance(message, Subscribe):
            self._subscribe(message, principal)
        elif isinstance(message, Complete):
            if subscriber := self._subscribers.get(message.id):
                subscriber.leave()
        else:
            self._answer_ping(message)

    def _answer_ping(self, message: Message) -> None:
        if isinstance(message, Ping):
            self._wire.write(pong(message.payload))

    async def _next(self) -> Message | None:
        """The next message, None when the connection is over. Raises Closed."""
        await self._wire.room()  # a client that does not read is not listened to either
        event = await self._receive()
        if event["type"] == "websocket.disconnect" or self._closing:
            return None
        if not self._allowance.take():
            raise Closed(Code.TRY_AGAIN, "Too many messages")
        if (text := event.get("text")) is None:
            raise Closed(Code.BAD_REQUEST, "Invalid message: it must be text")
        return parsed(text)

    # The end:

    def _end(self, code: Code, reason: str) -> None:
        """Closes from outside the conversation, which hears of it like the client."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._close(code, reason))

    async def _close(self, code: Code, reason: str) -> None:
        if not await self._wire.cleared():
            return
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except (OSError, RuntimeError):
            log.debug("the client had gone before it was told")

    # Operations:

    def _subscribe(self, message: Subscribe, principal: Principal) -> None:
        if message.id in self._subscribers:
            reason = f"Subscriber for {message.id} already exists"
            raise Closed(Code.SUBSCRIBER_EXISTS, reason)
        self._started += 1
        asked = Asked(f"{self._request_id}.{self._started}", principal)
        subscriber = Subscriber(message.id, self._wire, partial(self._over, message.id, asked))
        if max(len(self._subscribers), len(self._running)) >= MAX_OPERATIONS:
            crowded = coded(CROWDED, "RATE_LIMITED")
            subscriber.end(_told(asked, crowded))
            return
        self._subscribers[message.id] = subscriber
        task = asyncio.create_task(self._run(message, subscriber, asked))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def _over(self, id: str, asked: Asked) -> None:
        """Nothing more is said under an id."""
        self._subscribers.pop(id, None)
        if self._service.recorder.chooses():
            self._service.recorder.record(self._connection.scope, asked)

    async def _run(self, message: Subscribe, subscriber: Subscriber, asked: Asked) -> None:
        telemetry.note(request_id=asked.request_id)
        try:
            await self._serve(message, subscriber, asked)
        except Refused as refused:
            subscriber.end(_told(asked, coded(str(refused), refused.code)))
        except RequestFailed as failed:
            subscriber.end(_told(asked, *failed.errors))
        except Exception as cause:
            asked.failed = True
            failure = GraphQLError(str(cause), original_error=cause)  # masked, and logged
            subscriber.end(_told(asked, failure))

    async def _serve(self, message: Subscribe, subscriber: Subscriber, asked: Asked) -> None:
        service, principal = self._service, asked.who
        caller = callers.caller(self._connection, principal)
        await service.turns.next(caller.name if caller else callers.DEVELOPERS)
        given = parameters.from_message(message.text, service.most_values(principal))
        asked.request_bytes = len(message.text.encode())
        service.check_size(given)
        asked.document = hashed(given.query)
        account = service.callers.account(self._connection, principal)
        operation = await service.prepared(given, principal, account)
        asked.operation, asked.kind = operation.short_name, operation.kind
        log.info("operation", operation=asked.operation, kind=operation.kind)
        context = partial(service.context, caller, operation, principal, account, asked.request_id)
        if operation.kind != "subscription":
            with closing(service.rooms.claim(caller)) as claim:
                answer = await execute(operation, given.variables, context(claim=claim))
                asked.refused = not answer.executed and are_refusals(answer.errors)
                subscriber.answer(answer)
                await self._wire.room()
            return
        with ExitStack() as held:
            held.enter_context(closing(service.standing(caller, operation)))
            opened = await service.live.open(operation, given.variables, context(), subscriber)
            if isinstance(opened, Answer):
                asked.refused = are_refusals(opened.errors)
                subscriber.end(opened.errors)
            else:
                held.callback(opened.close)
                subscriber.follow(held.pop_all())


def _told(asked: Asked, *errors: GraphQLError) -> list[dict[str, Any]]:
    told = [formatted(error, asked.request_id) for error in errors]
    asked.refused = are_refusals(told)
    return told
