"""Wire: messages of protobuf, split without parsing them.

The parser of protobuf takes hundreds of milliseconds for two million empty messages, which have 4
MB. So nested messages are found by their lengths, up to a bound, and each item is parsed alone.
Source: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Container

from gateway.otlp.faults import Malformed

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
LONGEST_VARINT = 10  # bytes
MAX_FIELDS = 25_000  # of a request, without those of its items

Nested = list[tuple[int, memoryview]]


class Splitter:
    """Splits the messages of one request."""

    def __init__(self) -> None:
        self.fields = 0

    def split(self, message: memoryview, numbers: Container[int]) -> tuple[bytes, Nested]:
        """A message without the nested ones of these field numbers, and these. Raises
        Malformed."""
        rest, nested, at = bytearray(), Nested(), 0
        while at < len(message):
            self._count()
            began = at
            tag, at = _varint(message, at)
            start, at = _value(message, at, tag & 7)
            if at > len(message):
                raise Malformed("The protobuf message is incomplete.")
            if tag & 7 == LENGTH and tag >> 3 in numbers:
                nested.append((tag >> 3, message[start:at]))
            else:
                rest += message[began:at]
        return bytes(rest), nested

    def _count(self) -> None:
        self.fields += 1
        if self.fields > MAX_FIELDS:
            raise Malformed(
                f"The request has more than {MAX_FIELDS:,} items, resources and scopes."
            )


def _value(message: memoryview, at: int, kind: int) -> tuple[int, int]:
    """Where the value of a field starts and ends. Raises Malformed."""
    match kind:
        case 0:
            return at, _varint(message, at)[1]
        case 1:
            return at, at + 8
        case 2:
            size, start = _varint(message, at)
            return start, start + size
        case 5:
            return at, at + 4
    raise Malformed("The body is not a protobuf message.")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number, and where it ends. Raises Malformed."""
    value = 0
    for position, byte in enumerate(message[at : at + LONGEST_VARINT]):
        value |= (byte & 127) << 7 * position
        if byte < 128:
            return value, at + position + 1
    raise Malformed("The body is not a protobuf message.")
