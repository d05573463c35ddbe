"""Server-sent events, as graphql-sse has them in its distinct connections mode.

Each message is an event `next`; `complete` is the last one, unless it is we who break off: a client
that has not read `complete` connects again, and browsers then send the id of the last event.
"""

import random

from gateway.transport.negotiation import EVENT_STREAM
from gateway.transport.streaming import StreamFormat

FIRST_RETRY, LAST_RETRY = 1_000, 5_000  # milliseconds; apart, so that not all come back together


def _retry() -> bytes:
    return b"retry: %d\n\n" % random.randint(FIRST_RETRY, LAST_RETRY)  # noqa: S311  no secret


def _next(payload: bytes, cursor: str | None) -> bytes:
    id = b"id: %b\n" % cursor.encode() if cursor else b""
    return b"%bevent: next\ndata: %b\n\n" % (id, payload)


# Browsers hand on an event only if it has data, be it empty.
FORM = StreamFormat(
    content_type=f"{EVENT_STREAM}; charset=utf-8",
    opening=_retry,
    message=_next,
    silence=b":\n\n",
    completed=b"event: complete\ndata:\n\n",
    interrupted=b"",
)
