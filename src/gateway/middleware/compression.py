"""Compression of responses, in the encoding that the client accepts (RFC 9110 §12.5.3).

A response whose first message is its whole body is compressed if that pays. Streams are not: each
message has to leave at once.
"""

import asyncio
import gzip
from collections.abc import Callable, Iterable
from functools import lru_cache, partial

import brotli
import zstandard
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.qualities import qualities

LEAST = 2 * 1024  # bytes of a body that is compressed; a smaller one fits into two packets
SHORT = 16 * 1024  # bytes of a body that is compressed at once; others are compressed in a thread
LONGEST_NAME = 256  # characters of a header whose meaning is kept
TEXTS = {"application/json", "application/graphql-response+json", "image/svg+xml"}

# In the order of preference, at levels that cost about as much as the JSON did.
ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": partial(zstandard.compress, level=3),
    "br": partial(brotli.compress, quality=4, mode=brotli.MODE_TEXT),
    "gzip": partial(gzip.compress, compresslevel=5, mtime=0),
}
RawHeaders = Iterable[tuple[bytes, bytes]]

IDENTITY = "identity"
NOT_MODIFIED = 304
VARY = (b"vary", b"Accept-Encoding")


def encoding_of(accept: str) -> str | None:
    """The encoding of responses to a client with this header Accept-Encoding; None is none."""
    return _known_encoding(accept) if len(accept) <= LONGEST_NAME else None


def encoding_for(body: bytes, accepted: str | None) -> str | None:
    """The encoding of a body: the accepted one if the body is worth it."""
    return accepted if len(body) >= LEAST else None


def headers(encoding: str | None) -> tuple[tuple[bytes, bytes], ...]:
    """The headers of every response, and of one in an encoding."""
    return (VARY,) if encoding is None else (VARY, (b"content-encoding", encoding.encode()))


async def compressed(body: bytes, encoding: str) -> bytes:
    """The body in an encoding, compressed in another thread unless it is short."""
    encode = ENCODERS[encoding]
    return encode(body) if len(body) <= SHORT else await asyncio.to_thread(encode, body)


class Compression:
    """Compresses responses."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        accept = ", ".join(Headers(scope=scope).getlist("accept-encoding"))
        await self.app(scope, receive, _Exchange(send, encoding_of(accept)).send)


class _Exchange:
    """One response. Its head waits for a body of known length."""

    __slots__ = ("_encoding", "_send", "_start")

    def __init__(self, send: Send, encoding: str | None) -> None:
        self._send = send
        self._encoding = encoding
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if _has_length(message):
                self._start = message
                return
            if message["status"] == NOT_MODIFIED:  # like the response that the client has
                message = {**message, "headers": [*message["headers"], VARY]}
        if (start := self._start) is not None:
            self._start = None
            start, message = await self._encoded(start, message)
            await self._send(start)
        await self._send(message)

    async def _encoded(self, start: Message, message: Message) -> tuple[Message, Message]:
        body, raw = message.get("body", b""), start["headers"]
        is_whole = (b"content-length", b"%d" % len(body)) in raw
        may_be = is_whole and _is_text(raw) and not _is_encoded(raw)
        if encoding := encoding_for(body, self._encoding) if may_be else None:
            body = await compressed(body, encoding)
            raw = [(k, b"%d" % len(body) if k == b"content-length" else v) for k, v in raw]
        return {**start, "headers": [*raw, *headers(encoding)]}, {**message, "body": body}


def _has_length(start: Message) -> bool:
    return any(name == b"content-length" for name, _ in start.get("headers", ()))


def _is_encoded(headers: RawHeaders) -> bool:
    return any(name == b"content-encoding" for name, _ in headers)


def _is_text(headers: RawHeaders) -> bool:
    content_type = dict(headers).get(b"content-type", b"").decode("latin-1")
    media_type = content_type.partition(";")[0].strip()
    is_stream = media_type == "text/event-stream"
    return media_type in TEXTS or (media_type.startswith("text/") and not is_stream)


@lru_cache(maxsize=200)
def _known_encoding(accept: str) -> str | None:
    """An encoding of the highest quality above 0; of several, the one that we prefer."""
    given = qualities(accept)
    found = {name: given.get(name, given.get("*", 0.0)) for name in ENCODERS}
    best = max(found, key=lambda name: found[name])  # the first of several
    return best if found[best] > 0 and found[best] >= given.get(IDENTITY, 0.0) else None
