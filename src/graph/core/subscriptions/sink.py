"""Sink: the transport-independent destination of a subscription's messages."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from graphql import GraphQLFormattedError

Write = Callable[[bytes, str | None], bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One result of a subscription: the GraphQL response as JSON, the same bytes for all
    subscribers, and the cursor to resume after it, None if it has none."""

    payload: bytes
    cursor: str | None
    forms: dict[Write, bytes] = field(default_factory=dict, compare=False, repr=False)

    def written(self, write: Write) -> bytes:
        if write not in self.forms:
            self.forms[write] = write(self.payload, self.cursor)
        return self.forms[write]


class Sink(Protocol):
    """The destination of one subscriber. Its methods neither wait nor raise. `send` is called only
    when ready. `end` ends the subscription from the server: with errors, or as complete."""

    @property
    def ready(self) -> bool:
        """True if it accepts a message now. Until then its subscriber falls behind and catches up
        later."""

    def send(self, message: Message) -> None: ...

    def end(self, errors: list[GraphQLFormattedError] | None = None) -> None: ...
