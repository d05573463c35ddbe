"""Multipart: subscriptions as parts of one response, in the protocol of Apollo's clients.

A part ends where the boundary of the next one begins, and clients wait for it; so each part is sent
with the boundary that follows it.
"""

from db.core.error_codes import ErrorCode
from gateway.transport.formats.stream_format import StreamFormat

BOUNDARY = b"\r\n--graphql"


def _part(content: bytes) -> bytes:
    return b"\r\ncontent-type: application/json\r\n\r\n%b%b" % (content, BOUNDARY)


def _message(payload: bytes, _cursor: str | None) -> bytes:
    return _part(b'{"payload":%b}' % payload)


_LAST = b"--\r\n"
_INTERRUPTED = (
    b'{"payload":null,"errors":[{"message":"The stream was broken off; subscribe again.",'
    b'"extensions":{"code":"%b"}}]}' % ErrorCode.SERVICE_UNAVAILABLE.encode()
)

FORMAT = StreamFormat(
    media_type="multipart/mixed",
    parameters="boundary=graphql;subscriptionSpec=1.0",
    rank=2,
    opening=lambda: BOUNDARY,
    message=_message,
    silence=_part(b"{}"),
    completed=_LAST,
    interrupted=_part(_INTERRUPTED) + _LAST,
)
