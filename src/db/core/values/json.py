"""JSON: parse, serialize and compare documents without losing digits of numbers.

A number is an int, a float if the float prints the same digits, or else a Decimal. It keeps its
value and its decimals, as `jsonb` does: 1, 1.0 and 1.00 are three numbers. Exponents are expanded,
and zero has no sign. Most documents are parsed by orjson alone; the exact parser, four times
slower, is for those that orjson would print with other digits.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import NoReturn, TypeGuard

import orjson

MAX_DIGITS = 400  # of a number written out; every 64-bit float has fewer

_SPACE = b" \t\n\r"
_SHOWN = 20  # characters of a number in a message
_LONGEST = 2_000  # characters of a number that is parsed
_UNSTABLE = re.compile(rb"[0-9]e[+-][0-9]|-0\.0(?![0-9])")
_VALUES = re.compile(  # each to the mark before the next one, in linear time for any bytes
    rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^",\[{]++)*+(?:[,\[{]|\Z)', re.DOTALL
)
_SHORT = re.compile(r"[1-9][0-9]{0,14}(?:\.[0-9]{1,15})?", re.ASCII)  # needs no check
_INFINITE = "number is infinity"  # orjson's message for a number beyond 64-bit floats

JSONDecodeError = orjson.JSONDecodeError
JsonValue = object  # narrowed where it is read
JsonObject = dict[str, JsonValue]
Number = int | float | Decimal


class TooManyDigits(ValueError):
    """A number has more than MAX_DIGITS digits; the message is for the client."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        super().__init__(f"The number {shown} has more than {MAX_DIGITS} digits, written out.")


class TooManyValues(ValueError):
    """A document holds more values than allowed."""


# Numbers


def number(text: str) -> Number:
    """Parse a number of JSON or GraphQL. Raises TooManyDigits."""
    if _SHORT.fullmatch(text):
        return _plainest(text)
    try:
        exact = Decimal(text if len(text) <= _LONGEST else "NaN")
    except ArithmeticError:
        exact = Decimal("NaN")  # an exponent that Python cannot hold
    if not is_bounded(exact):
        raise TooManyDigits(text)
    return _plainest(written(exact))


def is_bounded(exact: Decimal) -> bool:
    if not exact.is_finite() or abs(exact.adjusted()) > MAX_DIGITS:
        return False
    text = format(exact, "f")
    return len(text) - text.count("-") - text.count(".") <= MAX_DIGITS


def decimal(value: Number) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def written(value: Number) -> str:
    """The digits of a number, without an exponent and without a sign of zero."""
    text = format(decimal(value), "f")
    return text if value else text.removeprefix("-")


def _plainest(text: str) -> Number:
    """Parse a number without an exponent, as the simplest type that prints the same digits."""
    if "." not in text:
        return int(text) if len(text) <= MAX_DIGITS else Decimal(text)
    value = float(text)
    return value if orjson.dumps(value) == text.encode() else Decimal(text)


# Documents


def no_json(value: JsonValue) -> NoReturn:
    """Raises TypeError for a value that JSON does not have."""
    raise TypeError(f"JSON does not have values of the type {type(value).__name__}")


def loads(text: str | bytes) -> JsonValue:
    """Parse a document from PostgreSQL; numbers may have any number of digits."""
    encoded = _encoded(text)
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return _STORED.decode(encoded.decode())
    return value if _prints_alike(value, encoded) else _STORED.decode(encoded.decode())


def received(text: str | bytes, most: int | None = None) -> JsonValue:
    """Parse a document from a client. Raises JSONDecodeError and TooManyDigits, and TooManyValues
    before parsing."""
    encoded = _encoded(text)
    if most is not None and has_more(encoded, most):
        raise TooManyValues
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith(_INFINITE):
            raise
        return _read(_RECEIVED, encoded)
    is_stable = not _has_mark(encoded) or not _UNSTABLE.search(encoded)
    return value if is_stable and _prints_alike(value, encoded) else _read(_RECEIVED, encoded)


def _has_mark(encoded: bytes) -> bool:
    """False for most documents without what _UNSTABLE finds."""
    return b"e-" in encoded or b"e+" in encoded or b"-0.0" in encoded


def has_more(encoded: bytes, most: int) -> bool:
    """True if a document holds more than `most` values; commas within strings do not count."""
    if len(encoded) <= most:
        return False
    if sum(map(encoded.count, (b",", b"[", b"{"))) < most:
        return False
    return sum(1 for _ in islice(_VALUES.finditer(encoded), most + 1)) > most


def skimmed(text: str) -> JsonValue:
    """Parse a document from a client for its strings; numbers may lose digits. Raises
    JSONDecodeError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith(_INFINITE):
            raise
        return _read(_SKIMMED, text.encode())


def dumps(
    value: JsonValue, default: Callable[[JsonValue], JsonValue] = no_json, option: int | None = None
) -> bytes:
    """Serialize a value; `default` converts values that JSON does not have. Raises TypeError."""

    def encode(part: JsonValue) -> JsonValue:
        if isinstance(part, Decimal) and part.is_finite():
            return orjson.Fragment(written(part))
        return default(part)

    try:
        return orjson.dumps(value, encode, option)
    except TypeError:  # maybe an integer of more than 64 bits
        return orjson.dumps(_without_large(value), encode, option)


def same(one: JsonValue, other: JsonValue) -> bool:
    """True if two documents are equal; 0 differs from false, and 1 from 1.0."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    if is_number(one) and is_number(other):
        return written(one) == written(other)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def is_number(value: object) -> TypeGuard[Number]:
    return isinstance(value, Number) and not isinstance(value, bool)


def is_exact(text: bytes) -> bool:
    """True if 64-bit floats hold all numbers of a document that was parsed before."""
    try:
        return _prints_alike(orjson.loads(text), text)
    except orjson.JSONDecodeError:
        return False


def _encoded(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _prints_alike(value: JsonValue, encoded: bytes) -> bool:
    try:
        again = orjson.dumps(value)
    except TypeError:  # nested more deeply than it prints
        return False
    return again == encoded or again.translate(None, _SPACE) == encoded.translate(None, _SPACE)


def _read(decoder: json.JSONDecoder, encoded: bytes) -> JsonValue:
    """Parse with an exact parser. Raises JSONDecodeError and TooManyDigits."""
    try:
        value = decoder.decode(encoded.decode())
        dumps(value)  # raises for half of a surrogate pair
    except TooManyDigits:
        raise
    except (ValueError, TypeError, RecursionError) as error:
        message, place = getattr(error, "msg", str(error)), getattr(error, "pos", 0)
        raise JSONDecodeError(message, encoded.decode(errors="replace"), place) from error
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _decoder(read: Callable[[str], Number]) -> json.JSONDecoder:
    return json.JSONDecoder(parse_float=read, parse_int=read, parse_constant=_no_number)


_STORED, _RECEIVED, _SKIMMED = _decoder(_plainest), _decoder(number), _decoder(float)


def _without_large(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        return {key: _without_large(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_large(part) for part in value]
    return Decimal(value) if type(value) is int and value.bit_length() > 63 else value
