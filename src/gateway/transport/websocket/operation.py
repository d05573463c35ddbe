"""Operation: the messages of one operation on a WebSocket."""

from collections.abc import Callable

import orjson
from graphql import GraphQLFormattedError

from gateway.protocols.websocket import MessageWriter
from gateway.transport.streaming import Opened
from graph.core.execution.result import OperationResult
from graph.core.subscriptions.sink import Message


class WebSocketSink:
    """A Sink that writes the messages of one id, until either side completes it.

    The bytes before a payload are built once. The payload is shared with other subscribers.
    """

    __slots__ = ("_begin", "_id", "_over", "_writer", "closed", "subscription")

    def __init__(self, id: str, writer: MessageWriter, closed: Callable[[], object]) -> None:
        self._id = orjson.dumps(id)
        self._begin = b'{"id":%b,"type":"next","payload":' % self._id
        self._writer = writer
        self._over = False
        self.closed = closed
        self.subscription: Opened | None = None

    # Sink:

    @property
    def ready(self) -> bool:
        return self._writer.is_writable and not self._over

    def send(self, message: Message) -> None:
        if not self._over:
            self._writer.write(self._begin, message.payload, b"}")

    def end(self, errors: list[GraphQLFormattedError] | None = None) -> None:
        if self._over:
            return
        if errors:
            message = b'{"id":%b,"type":"error","payload":%b}' % (self._id, orjson.dumps(errors))
        else:
            message = b'{"id":%b,"type":"complete"}' % self._id
        self._writer.write(message)
        self.leave()

    # Used by the connection:

    def send_result(self, result: OperationResult) -> None:
        if not result.executed:
            self.end(result.errors)
            return
        self.send(Message(result.body, None))
        self.end()

    def follow(self, subscription: Opened) -> None:
        """Take over a subscription, or close it if the client has completed the operation."""
        self.subscription = subscription
        if self._over:
            subscription.close()

    def leave(self) -> None:
        if not self._over:
            self._over = True
            self.closed()
        if self.subscription:
            self.subscription.close()
