"""Outlet: where the messages of one subscription go, whatever carries them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

Write = Callable[[bytes, str | None], bytes]


@dataclass(frozen=True, slots=True)
class Message:
    """One result of a subscription: the GraphQL response as JSON, the same bytes for everybody who
    gets it, and the cursor to resume after it, None where it has none."""

    payload: bytes
    cursor: str | None
    forms: dict[Write, bytes] = field(default_factory=dict, compare=False, repr=False)

    def written(self, write: Write) -> bytes:
        """What a form writes for it, which is made once for everybody who gets it."""
        if write not in self.forms:
            self.forms[write] = write(self.payload, self.cursor)
        return self.forms[write]


class Sink(Protocol):
    """One subscriber's end. None of its methods waits, and none raises."""

    @property
    def ready(self) -> bool:
        """Whether it takes a message now. While it does not, its subscriber falls behind, and is
        told later what it missed."""

    def send(self, message: Message) -> None:
        """Takes a message; called only when it is ready."""

    def end(self, errors: list[dict[str, Any]] | None = None) -> None:
        """The subscription ends from our side: with these errors, or because it is complete."""
