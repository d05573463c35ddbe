"""Forms: requests and responses in protobuf or JSON, compressed or not."""

import asyncio
import zlib
from collections.abc import Sequence
from enum import StrEnum

from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from starlette.requests import Request
from starlette.responses import Response

from db.core.values import json
from gateway.errors import JSON, HttpError
from gateway.otlp.faults import Malformed
from gateway.otlp.parts import Item, Level, items_of_bytes, items_of_json
from gateway.transport.negotiation import is_json

PROTOBUF = "application/x-protobuf"
FACTOR = 2  # of the bytes of a body, once it is decompressed
MAX_JSON_VALUES = 200_000
GZIP = 31  # the parameter of zlib for the format gzip
STATUS_CODES = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}  # of google.rpc.Code
UNKNOWN = 2


class Form(StrEnum):
    """The encoding of the messages of a request, and of its response."""

    PROTOBUF = PROTOBUF
    JSON = JSON

    def items(self, body: bytes, levels: Sequence[Level]) -> list[Item]:
        """Raises Malformed."""
        if self is Form.PROTOBUF:
            return items_of_bytes(body, levels)
        return items_of_json(_json(body), levels)

    def respond(
        self, message: Message, status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        if self is Form.PROTOBUF:
            content = message.SerializeToString()
        else:
            content = json_format.MessageToJson(message, indent=None).encode()
        kept = {"content-type": self.value, "cache-control": "no-store"}
        return Response(content, status, headers=kept | (headers or {}))

    def refuse(self, refused: HttpError) -> Response:
        code = STATUS_CODES.get(refused.status, UNKNOWN)
        status = Status(code=code, message=str(refused))
        return self.respond(status, refused.status, dict(refused.headers or {}))


def form_of(request: Request) -> Form | None:
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() == PROTOBUF:
        return Form.PROTOBUF
    return Form.JSON if is_json(content_type) else None


def check_encoding(request: Request) -> bool:
    """True if the body is compressed. Raises HttpError for an unknown encoding."""
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        message = "Send the body as it is, or compressed by gzip."
        raise HttpError(message, 415, headers={"accept-encoding": "gzip"})
    return encoding == "gzip"


async def decompressed(body: bytes, most: int) -> bytes:
    """In a thread, which does not hold the event loop. Raises HttpError, Malformed."""
    return await asyncio.to_thread(_decompressed, body, most)


def _decompressed(body: bytes, most: int) -> bytes:
    stream = zlib.decompressobj(GZIP)
    try:
        content = stream.decompress(body, most + 1)
    except zlib.error as error:
        raise Malformed("The body is not compressed by gzip.") from error
    if len(content) > most:
        raise HttpError(f"The body is larger than {most} bytes once it is decompressed.", 413)
    if not stream.eof or stream.unused_data:
        raise Malformed("The body is not one whole stream of gzip.")
    return content


def _json(body: bytes) -> object:
    try:
        return json.received(body, MAX_JSON_VALUES)
    except json.TooManyValues as error:
        raise Malformed(f"The JSON holds more than {MAX_JSON_VALUES:,} values.") from error
    except (json.JSONDecodeError, json.TooManyDigits) as error:
        raise Malformed(f"The body is not JSON: {error.args[0]}.") from error
