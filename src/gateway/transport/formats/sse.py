"""SSE: server-sent events in the distinct connections mode of graphql-sse.

Each message is a `next` event, and the last event is `complete`. If the gateway interrupts the
stream it sends no `complete`, so that the client reconnects; browsers send the id of the last
event.
"""

import random

from gateway.transport.formats.stream_format import StreamFormat

# Milliseconds; random within them, so that clients do not all reconnect at once.
FIRST_RETRY, LAST_RETRY = 1_000, 5_000


def _retry() -> bytes:
    return b"retry: %d\n\n" % random.randint(FIRST_RETRY, LAST_RETRY)  # noqa: S311  no secret


def _next(payload: bytes, cursor: str | None) -> bytes:
    id = b"id: %b\n" % cursor.encode() if cursor else b""
    return b"%bevent: next\ndata: %b\n\n" % (id, payload)


# Browsers dispatch an event only if it has a data field, even an empty one.
FORMAT = StreamFormat(
    media_type="text/event-stream",
    parameters=" charset=utf-8",
    rank=1,
    opening=_retry,
    message=_next,
    silence=b":\n\n",
    completed=b"event: complete\ndata:\n\n",
    interrupted=b"",
)
