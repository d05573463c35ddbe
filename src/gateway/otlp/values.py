"""Values: attributes, times and ids of OpenTelemetry as JSON."""

import base64
import hashlib
import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import orjson
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from db.core.values import json
from db.core.values.json import JsonObject
from gateway.otlp.faults import MAX_VALUES, Refused, too_many_values
from gateway.otlp.parts import Item

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SERVICE = "service.name"
UNKNOWN = "unknown_service"  # the name that OpenTelemetry gives a service without one
NANOSECONDS = 1_000  # of a microsecond


class Origin(NamedTuple):
    """Where an item comes from."""

    resource: JsonObject
    scope: JsonObject

    @property
    def service(self) -> str:
        return text(self.resource.get(SERVICE)) or UNKNOWN

    @property
    def metadata(self) -> JsonObject:
        return {"resource": self.resource, **({"scope": self.scope} if self.scope else {})}


def origin(item: Item) -> Origin:
    """The resource and the scope of an item, whose messages are alike for all signals. Raises
    Refused, Malformed."""
    _, resource, scope, *_ = item.around
    return Origin(
        _resource(resource.read(ResourceLogs).resource), _scope(scope.read(ScopeLogs).scope)
    )


def _resource(resource: Resource) -> JsonObject:
    return attributes(resource.attributes)


def _scope(scope: InstrumentationScope) -> JsonObject:
    named = {"name": scope.name, "version": scope.version, **attributes(scope.attributes)}
    return {name: value for name, value in named.items() if value != ""}


def attributes(pairs: Iterable[KeyValue]) -> JsonObject:
    """Raises Refused."""
    return _Reader().pairs(pairs)


def value_of(value: AnyValue) -> object:
    """Raises Refused."""
    return _Reader().value(value)


class _Reader:
    """Reads the values of one message, up to a bound."""

    def __init__(self) -> None:
        self.count = 0

    def pairs(self, pairs: Iterable[KeyValue]) -> JsonObject:
        return {pair.key: self.value(pair.value) for pair in pairs}

    def value(self, value: AnyValue) -> object:
        self.count += 1
        if self.count > MAX_VALUES:
            raise too_many_values()
        match value.WhichOneof("value"):
            case "string_value":
                return value.string_value
            case "bool_value":
                return value.bool_value
            case "int_value":
                return value.int_value
            case "double_value":
                return finite(value.double_value)
            case "array_value":
                return [self.value(each) for each in value.array_value.values]
            case "kvlist_value":
                return self.pairs(value.kvlist_value.values)
            case "bytes_value":
                return base64.b64encode(value.bytes_value).decode()
        return None


def finite(number: float) -> float | str:
    """A number as JSON; those that JSON does not have are texts, as in the JSON of protobuf."""
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def text(value: object) -> str | None:
    """A text that is set: in protobuf, the empty text means that it is not."""
    return value if isinstance(value, str) and value != "" else None


def number(attributes: JsonObject, name: str) -> float | None:
    """A number among attributes. Raises Refused for another value."""
    value = attributes.get(name)
    if value is None:
        return None
    if json.is_number(value):
        return float(value) if not isinstance(value, int) else value
    raise Refused(f"{name}: not a number")


def whole(attributes: JsonObject, name: str) -> int | None:
    """Raises Refused for a value that is not a whole number."""
    value = number(attributes, name)
    if value is None or value == int(value):
        return None if value is None else int(value)
    raise Refused(f"{name}: not a whole number")


def time(nanoseconds: int) -> str:
    """A time as clients of the API write it. Raises Refused for none."""
    if nanoseconds == 0:
        raise Refused("time: missing")
    return (EPOCH + timedelta(microseconds=nanoseconds // NANOSECONDS)).isoformat()


def id_of(id: bytes, length: int, name: str) -> str:
    """Raises Refused for an id that is not valid: all zeros, or of another length."""
    if len(id) != length or not any(id):
        raise Refused(f"{name}: not {length} bytes other than zero")
    return id.hex()


def digest(*parts: object) -> str:
    """Identifies a content, in whichever form it was sent."""
    return hashlib.sha256(json.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()
