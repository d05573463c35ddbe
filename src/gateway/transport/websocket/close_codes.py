"""Close codes: the reasons for closing a WebSocket, in graphql-transport-ws.

Clients of the graphql-ws library reconnect after 4403, 4408, 1012 and 1013 with a new credential.
They do not reconnect after any other code.
"""

from enum import IntEnum

MAX_REASON = 123  # bytes of a control frame (RFC 6455 §5.5)


class CloseCode(IntEnum):
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
    """A message of the client, or the lack of one, ends the connection. The reason is sent."""

    def __init__(self, code: CloseCode, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = fitting(reason)


def fitting(reason: str) -> str:
    return reason.encode()[:MAX_REASON].decode(errors="ignore")
