"""Subscriber: one operation of a socket, from what was asked for to its last message."""

from collections.abc import Callable
from typing import Any

import orjson

from gateway.protocols.websocket import MessageWriter
from gateway.transport.streaming import Opened
from graph.core.execution.operation import OperationResult
from graph.core.subscriptions.sink import Message


class WebSocketSink:
    """An Outlet that writes the messages of one id, until either side has had enough.

    What comes before the payload of a message is made once; the payload is written as it is, the
    same bytes to everybody.
    """

    __slots__ = ("_begin", "_id", "_over", "_writer", "closed", "subscription")

    def __init__(self, id: str, writer: MessageWriter, closed: Callable[[], object]) -> None:
        self._id = orjson.dumps(id)
        self._begin = b'{"id":%b,"type":"next","payload":' % self._id
        self._writer = writer
        self._over = False
        self.closed = closed
        self.subscription: Opened | None = None

    # An Outlet:

    @property
    def ready(self) -> bool:
        return self._writer.is_writable and not self._over

    def send(self, message: Message) -> None:
        if not self._over:
            self._writer.write(self._begin, message.payload, b"}")

    def end(self, errors: list[dict[str, Any]] | None = None) -> None:
        if self._over:
            return
        if errors:
            told = b'{"id":%b,"type":"error","payload":%b}' % (self._id, orjson.dumps(errors))
        else:
            told = b'{"id":%b,"type":"complete"}' % self._id
        self._writer.write(told)
        self.leave()

    # What its socket does:

    def answer(self, answer: OperationResult) -> None:
        """Sends what came of an operation that is over, or was never begun."""
        if not answer.executed:
            self.end(answer.errors)
            return
        self.send(Message(answer.body, None))
        self.end()

    def follow(self, subscription: Opened) -> None:
        """Takes what was opened for it, unless nobody wants it any more."""
        self.subscription = subscription
        if self._over:
            subscription.close()

    def leave(self) -> None:
        """Nobody wants further messages; its id is free."""
        if not self._over:
            self._over = True
            self.closed()
        if self.subscription:
            self.subscription.close()
