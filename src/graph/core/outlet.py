"""Outlet: where the messages of one subscription go, whatever carries them."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """One result of a subscription: the GraphQL response as JSON, the same bytes for everybody who
    gets it, and the cursor to resume after it, None where it has none."""

    payload: bytes
    cursor: str | None


class Outlet(Protocol):
    """One subscriber's end. None of its methods waits, and none raises."""

    @property
    def ready(self) -> bool:
        """Whether it takes a message now. While it does not, its subscriber falls behind, and is
        told later what it missed."""

    def send(self, message: Message) -> None:
        """Takes a message; called only when it is ready."""

    def end(self, errors: list[dict[str, Any]] | None = None) -> None:
        """The subscription ends from our side: with these errors, or because it is complete."""
