"""Parts: the items of a request with the messages around them, each read on its own.

A request nests its items: resource, scope, and for metrics the metric and its kind. Messages of
JSON are read by their definitions in protobuf, so both forms are mapped by the same code.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from db.core.values.json import JsonObject
from gateway.otlp.faults import (
    MAX_ITEM_BYTES,
    MAX_VALUES,
    Malformed,
    Refused,
    too_many_values,
)
from gateway.otlp.wire import Splitter
from graph.core.types.input_values import count_values

Level = Mapping[int, str]  # the nested messages: their field numbers and names in JSON
M = TypeVar("M", bound=Message)

IDS = ("traceId", "spanId", "parentSpanId")  # hexadecimal in the JSON of OTLP
UNUSED = {"links", "exemplars"}  # with more ids


@dataclass(eq=False, slots=True)
class Part:
    """A message without those nested in it; `name` is that of its field."""

    name: str
    content: bytes | JsonObject
    known: Message | Refused | None = None

    def read(self, type_: Callable[[], M]) -> M:
        """The message, which is read once. Raises Refused, Malformed."""
        if self.known is None:
            self.known = self._read(type_())
        if isinstance(self.known, Refused):
            raise self.known
        return cast("M", self.known)  # a part has one type

    def _read(self, message: Message) -> Message | Refused:
        try:
            if isinstance(self.content, bytes):
                return _from_bytes(self.content, message)
            return _from_json(self.content, message)
        except Refused as refused:
            return refused


@dataclass(frozen=True, slots=True)
class Item:
    """An item and the messages around it, the outermost first."""

    around: tuple[Part, ...]
    part: Part = field(repr=False)


def items_of_bytes(body: bytes, levels: Sequence[Level]) -> list[Item]:
    """Raises Malformed."""
    splitter = Splitter()

    def below(
        message: memoryview, name: str, levels: Sequence[Level], around: tuple[Part, ...]
    ) -> Iterator[Item]:
        rest, nested = splitter.split(message, levels[0])
        around = (*around, Part(name, rest))
        for number, inner in nested:
            inner_name = levels[0][number]
            if len(levels) == 1:
                yield Item(around, Part(inner_name, bytes(inner)))
            else:
                yield from below(inner, inner_name, levels[1:], around)

    return list(below(memoryview(body), "", levels, ()))


def items_of_json(body: object, levels: Sequence[Level]) -> list[Item]:
    """Raises Malformed."""

    def below(
        message: object, name: str, levels: Sequence[Level], around: tuple[Part, ...]
    ) -> Iterator[Item]:
        if not isinstance(message, dict):
            raise Malformed(f"`{name or 'The body'}` must be a JSON object.")
        names = levels[0].values()
        rest = {key: value for key, value in message.items() if key not in names}
        around = (*around, Part(name, rest))
        for inner_name in names:
            for inner in _listed(message.get(inner_name)):
                if len(levels) > 1:
                    yield from below(inner, inner_name, levels[1:], around)
                elif isinstance(inner, dict):
                    yield Item(around, Part(inner_name, inner))
                else:
                    raise Malformed(f"Each of `{inner_name}` must be a JSON object.")

    return list(below(body, "", levels, ()))


def _listed(value: object) -> Sequence[object]:
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def _from_bytes(content: bytes, message: M) -> M:
    if len(content) > MAX_ITEM_BYTES:
        raise Refused(f"more than {MAX_ITEM_BYTES:,} bytes")
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise Malformed("The body is not a message of this endpoint.") from error
    return message


def _from_json(content: JsonObject, message: M) -> M:
    content = {key: value for key, value in content.items() if key not in UNUSED}
    if count_values(content) > MAX_VALUES:
        raise too_many_values()
    for name in IDS:
        if isinstance(id := content.get(name), str):
            content[name] = _base64(id, name)
    try:
        json_format.ParseDict(content, message, ignore_unknown_fields=True)
    except (json_format.ParseError, RecursionError) as error:
        raise Malformed(f"The JSON is no message of OTLP: {error}"[:240]) from error
    return message


def _base64(id: str, name: str) -> str:
    try:
        return base64.b64encode(binascii.unhexlify(id)).decode()
    except ValueError as error:
        raise Refused(f"{name}: not hexadecimal") from error
