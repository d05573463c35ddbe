"""Responder: the response to one request on the short path."""

from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cache, lru_cache
from http import HTTPStatus

from starlette.responses import Response

from gateway import errors
from gateway.middleware import compression
from gateway.middleware.recorder import Recorder
from gateway.middleware.request_log import fill
from gateway.origins import Origins
from gateway.protocols.short_path import Exchange
from gateway.request_record import RequestRecord
from gateway.transport import responses
from gateway.transport.memory_shares import Claim
from gateway.transport.request_head import Head
from graph.core.execution.result import OperationResult

LENGTH = b"content-length: %d\r\n"
OWN_HEADERS = b"x-request-id: %b\r\nx-content-type-options: nosniff\r\n"
MOST_FORMS = 1_000  # of headers that are kept; clients choose their origins


@dataclass(frozen=True, eq=False, slots=True)
class Additions:
    """What middleware adds to every response."""

    origins: Origins | None
    compresses: bool

    def headers(self, origin: str | None) -> bytes:
        return _lines(self.origins.headers(origin)) if self.origins else b""

    def headers_of_encoding(self, encoding: str | None) -> bytes:
        return _lines(compression.headers(encoding)) if self.compresses else b""


class Responder:
    """The response to one request of `size` bytes."""

    __slots__ = ("additions", "encoding", "exchange", "head", "record", "recorder", "size")

    def __init__(
        self,
        exchange: Exchange,
        record: RequestRecord,
        head: Head,
        size: int,
        recorder: Recorder,
        additions: Additions,
    ) -> None:
        self.exchange = exchange
        self.record = record
        self.head = head
        self.size = size
        self.recorder = recorder
        self.additions = additions
        self.encoding = head.encoding if additions.compresses else None

    def is_ready(self, body: bytes) -> bool:
        """True if the body is sent as it is."""
        return compression.encoding_for(body, self.encoding) is None

    def now(self, body: bytes) -> None:
        """Send the result of a query that was executed with others."""
        record, length = self.record, len(body)
        record.status, record.request_bytes, record.response_bytes = 200, self.size, length
        form = _form_of_headers(self.additions, self.head.media_type, self.head.origin)
        self.exchange.respond_soon(OK, form % (length, record.request_id.encode()), body)
        self.recorder.finish(record)

    async def result(self, result: OperationResult) -> None:
        media_type = self.head.media_type
        if result.executed and not result.errors:
            await self._send(200, _headers_of_result(media_type), result.body)
        else:
            response = responses.respond(result, record=self.record, media_type=media_type)
            await self.response(response)

    async def held(self, body: bytes, claim: Claim | None) -> None:
        """Send a result, and hold the room of a large one until the client has read it."""
        with ExitStack() as held:
            if claim is not None:
                held.enter_context(closing(claim))
            await self._send(200, _headers_of_result(self.head.media_type), body)

    async def response(self, response: Response) -> None:
        await self._send(response.status_code, _written(response), bytes(response.body))

    async def _send(self, status: int, headers: bytes, body: bytes) -> None:
        if self.record.status is not None:  # only closing the connection signals the failure
            self.exchange.abort()
            return
        encoding = compression.encoding_for(body, self.encoding)
        if encoding is not None:
            body = await compression.compressed(body, encoding)
        fill(self.record, status, self.size, len(body))
        headers += self._own_headers(body, encoding)
        await self.exchange.respond(_status_line(status), headers, body)

    def _own_headers(self, body: bytes, encoding: str | None) -> bytes:
        own = OWN_HEADERS % self.record.request_id.encode()
        encoded = self.additions.headers_of_encoding(encoding)
        return b"".join(
            (LENGTH % len(body), encoded, own, self.additions.headers(self.head.origin))
        )


def _written(response: Response) -> bytes:
    """The headers of a response, without its length."""
    return _lines([pair for pair in response.raw_headers if pair[0] != b"content-length"])


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in headers])


@lru_cache(maxsize=MOST_FORMS)
def _form_of_headers(additions: Additions, media_type: str, origin: str | None) -> bytes:
    """The headers of a result that is not encoded, with places for its length and its ID."""
    before = _headers_of_result(media_type).replace(b"%", b"%%")
    after = additions.headers(origin).replace(b"%", b"%%")
    return b"".join((before, LENGTH, additions.headers_of_encoding(None), OWN_HEADERS, after))


@cache
def _headers_of_result(media_type: str) -> bytes:
    return _written(errors.encoded(b"", 200, responses.VARY, media_type))


@cache
def _status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n".encode()


OK = _status_line(200)
