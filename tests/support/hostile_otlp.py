"""Hostile bodies of OTLP: small requests that are much work to read."""

import gzip
from collections.abc import Callable
from typing import NamedTuple

MIB = 1024 * 1024
JSON, PROTOBUF = "application/json", "application/x-protobuf"


class Body(NamedTuple):
    """The path and the media type of a request, and its body, compressed or not."""

    path: str
    media_type: str
    content: bytes
    encoding: str = "identity"


def field(number: int, content: bytes) -> bytes:
    """A field of protobuf with a length."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _empty(number: int, count: int) -> bytes:
    return field(number, b"") * count


def _span(content: bytes) -> bytes:
    return field(1, field(2, field(2, content)))


def _deep(levels: int) -> bytes:
    """Lists of values within lists."""
    value = b""
    for _ in range(levels):
        value = field(5, field(1, value))
    return value


def _zip(content: bytes) -> bytes:
    return gzip.compress(content, 9)


def _json(span: bytes, count: int) -> bytes:
    spans = b",".join([span] * count)
    return b'{"resourceSpans":[{"scopeSpans":[{"spans":[' + spans + b"]}]}]}"


def _traces(content: bytes) -> Body:
    return Body("/v1/traces", PROTOBUF, content)


def _zipped(content: bytes) -> Body:
    return Body("/v1/traces", PROTOBUF, _zip(content), "gzip")


IDS = field(1, b"t" * 16) + field(2, b"s" * 8)
TIMED = IDS + b"\x39" + (1).to_bytes(8, "little")

MAKERS: dict[str, Callable[[], Body]] = {
    "two million empty resources": lambda: _zipped(_empty(1, 2 * MIB - 1)),
    "two million empty spans": lambda: _zipped(field(1, field(2, _empty(2, 2 * MIB - 16)))),
    "8,192 empty spans": lambda: _traces(field(1, field(2, _empty(2, 8_192)))),
    "a span of 2 MB of attributes": lambda: _traces(_span(_empty(9, MIB - 32))),
    "40 spans of 50,000 attributes": lambda: _traces(
        field(1, field(2, field(2, TIMED + _empty(9, 49_900)) * 20))
    ),
    "spans of 90 levels": lambda: _traces(
        field(1, field(2, field(2, TIMED + field(9, field(2, _deep(30)))) * 4_000))
    ),
    "spans with too many levels": lambda: _traces(_span(TIMED + field(9, field(2, _deep(5_000))))),
    "one field of 2 MB without an end": lambda: _traces(b"\x0a\xff\xff\xff\x7f" + b"x" * MIB),
    "two million varints": lambda: _zipped(b"\x08\x01" * (2 * MIB - 1)),
    "100 MB of zeros": lambda: _zipped(bytes(100 * MIB)),
    "JSON of 200,000 values": lambda: Body(
        "/v1/traces", JSON, _json(b'{"attributes":[' + b",".join([b"{}"] * 1_990) + b"]}", 90)
    ),
    "JSON of 8,192 spans": lambda: Body("/v1/traces", JSON, _json(b'{"name":"a"}', 8_192)),
    "JSON of 700,000 lists": lambda: Body("/v1/traces", JSON, b"[" + b"[]," * 700_000 + b"[]]"),
    "8,192 log records": lambda: Body(
        "/v1/logs",
        PROTOBUF,
        field(1, field(2, field(2, b"\x09" + (1).to_bytes(8, "little")) * 8_192)),
    ),
}
