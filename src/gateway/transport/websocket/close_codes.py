"""Codes: why we close a WebSocket, in the numbers that clients of graphql-transport-ws know.

Clients of the graphql-ws library come back after 4403, 4408, 1012 and 1013, and ask for their
credential anew; for them every other one is the end.
"""

from enum import IntEnum

MAX_REASON = 123  # bytes, what a control frame has room for (RFC 6455 §5.5)


class CloseCode(IntEnum):
    """A code of a close frame."""

    FAILED = 1011
    RESTARTING = 1012
    TRY_AGAIN = 1013
    BAD_REQUEST = 4400
    UNAUTHORIZED = 4401
    FORBIDDEN = 4403
    SUBPROTOCOL_NOT_ACCEPTABLE = 4406
    INITIALISATION_TIMEOUT = 4408
    SUBSCRIBER_EXISTS = 4409
    TOO_MANY_INITIALISATIONS = 4429


class ConnectionClosed(Exception):
    """What the client sent, or did not send, ends the connection; the reason is for the client."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = fitting(reason)


def fitting(reason: str) -> str:
    """As much of a reason as a close frame takes."""
    return reason.encode()[:MAX_REASON].decode(errors="ignore")
