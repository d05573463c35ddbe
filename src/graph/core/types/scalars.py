"""Scalars: times, numbers, money, large integers and JSON."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from math import isfinite
from typing import NewType, TypeVar

from graphql import ConstValueNode, GraphQLError, GraphQLFloat, GraphQLScalarType
from graphql.type.scalars import coerce_float, parse_float_literal
from strawberry.scalars import JSON
from strawberry.schema.types.scalar import DEFAULT_SCALAR_REGISTRY
from strawberry.types.scalar import ScalarDefinition

from db.core.ids import EPOCH
from db.core.values import json
from db.core.values.rfc3339 import print_time, read_time
from graph.core.types.literals import literal_of, reader

LARGEST = 2**63 - 1
END = datetime(9999, 1, 1, tzinfo=UTC)
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
INTEGER = re.compile(r"[+-]?\d{1,19}", re.ASCII)

BigInt = NewType("BigInt", int)
Representation = NewType("Representation", object)  # a reference to an entity
V = TypeVar("V")  # the type of a scalar in Python
Number = NewType("Number", Decimal)  # a Float of an input, with the digits that the client wrote


def _read_time(value: object) -> datetime:
    # A time without an offset is ambiguous.
    try:
        parsed = read_time(value)
    except ValueError:
        message = "DateTime must be written like 2026-11-20T09:30:00Z, with an offset or Z."
        raise GraphQLError(message) from None
    if not EPOCH <= parsed < END:
        raise GraphQLError("DateTime must be between the years 1970 and 9998.")
    return parsed.astimezone(UTC)


def _print_decimal(value: Decimal | int) -> str:
    if not Decimal(value).is_finite():
        raise ValueError(f"{value} is not a number")
    return format(value, "f")


def _read_decimal(value: object) -> Decimal:
    text = json.written(value) if json.is_number(value) else value
    if not isinstance(text, str) or not DECIMAL.fullmatch(text):
        raise GraphQLError('Decimal must be a string of digits, like "0.002500".')
    return _decimal(text)


def _print_big_integer(value: Decimal | int) -> str:
    if value != int(value):
        raise ValueError(f"{value} is not a whole number")
    return str(int(value))


def _read_big_integer(value: object) -> int:
    text = str(value) if isinstance(value, int) else value
    if not isinstance(text, str) or not INTEGER.fullmatch(text) or abs(int(text)) > LARGEST:
        raise GraphQLError("BigInt must be a whole number of at most 63 bits, or a string of one.")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        return json.decimal(json.number(text))
    except json.TooManyDigits as error:
        raise GraphQLError(str(error)) from error


def _read_number(value: object) -> Decimal:
    exact = json.decimal(value if json.is_number(value) else coerce_float(value))  # raises
    if not isfinite(float(exact)):
        raise GraphQLError("Float cannot represent a number beyond the range of 64-bit floats.")
    return exact


def _read_number_literal(node: ConstValueNode) -> Decimal:
    parse_float_literal(node)
    return _read_literal_number(node)


# An input of the type Float keeps the digits that were sent: 2.675 as a 64-bit float is a little
# less, and would be rounded down. graphql-core allows no other type of that name.
_read_literal_number = reader(_read_number)
GraphQLFloat.coerce_input_value = _read_number
GraphQLFloat.coerce_input_literal = _read_number_literal
GraphQLFloat.value_to_literal = literal_of


def _scalar(
    name: str,
    description: str,
    read: Callable[[object], object],
    write: Callable[[V], object],
    specified_by_url: str | None = None,
) -> ScalarDefinition:
    implementation = GraphQLScalarType(
        name,
        coerce_output_value=write,
        coerce_input_value=read,
        coerce_input_literal=reader(read),
        value_to_literal=literal_of,
        description=description,
        specified_by_url=specified_by_url,
    )
    return ScalarDefinition(
        name,
        description,
        specified_by_url,
        serialize=write,
        parse_value=read,
        parse_literal=None,
        implementation=implementation,
    )


scalars: dict[object, ScalarDefinition] = {
    Representation: _scalar(
        "_Any",
        "A reference to an entity of a federated API: its `__typename` and the fields of its key.",
        lambda value: value,
        lambda value: value,
    ),
    Number: DEFAULT_SCALAR_REGISTRY[float],
    datetime: _scalar(
        "DateTime",
        "A date and time in RFC 3339 format. Output is in UTC with six decimals, for example "
        "2026-11-20T09:30:00.000000Z. Input may have any offset, but must have one.",
        _read_time,
        print_time,
        "https://datatracker.ietf.org/doc/html/rfc3339",
    ),
    Decimal: _scalar(
        "Decimal",
        "An exact decimal number, such as an amount of money, serialized as a string to keep all "
        f"digits. Inputs may also be numbers, and have at most {json.MAX_DIGITS} digits.",
        _read_decimal,
        _print_decimal,
        "https://www.w3.org/TR/xmlschema11-2/#decimal",
    ),
    BigInt: _scalar(
        "BigInt",
        "An integer that may exceed 2^31, serialized as a string because JavaScript numbers are "
        "not exact beyond 2^53. Inputs may also be numbers, and have at most 63 bits; sums may "
        "have more.",
        _read_big_integer,
        _print_big_integer,
        "https://www.w3.org/TR/xmlschema11-2/#integer",
    ),
    JSON: _scalar(
        "JSON",
        "Any JSON value, returned as it was stored, digit for digit. Numbers keep their value "
        "and their decimals, so 1, 1.0 and 1.00 stay distinct, and may have up to "
        f"{json.MAX_DIGITS} digits; longer numbers are rejected. An exponent is written out, 1e2 "
        "as 100, and -0 is 0. The order of keys and duplicate keys, except for the last, are not "
        "kept. In a literal, an omitted variable drops its key, and is null in a list.",
        lambda value: value,
        lambda value: value,
        "https://datatracker.ietf.org/doc/html/rfc8259",
    ),
}
