"""JSON: documents read, written and compared without losing a digit of their numbers.

A number is an int, a float where the float prints the same digits, and else a Decimal. It keeps
its value and its decimals, as `jsonb` does: 1, 1.0 and 1.00 are three numbers. An exponent is
written out, and zero has no sign. Most documents are read by orjson alone; the exact reader, which
takes four times as long, is for those that orjson would print with other digits.
"""

import json
import re
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from typing import Any, NoReturn

import orjson

MAX_DIGITS = 400  # of a number written out; every 64-bit float has fewer

_SPACE = b" \t\n\r"
_SHOWN = 20  # characters of a number in a message
_LONGEST = 2_000  # characters of a number that is looked at
_MARKS = (b"e-", b"e+", b"-0.0")  # quick to find: without one of them there is none of these
_UNSTABLE = re.compile(rb"[0-9]e[+-][0-9]|-0\.0(?![0-9])")
_VALUES = re.compile(  # each to the mark before the next one, in linear time for any bytes
    rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[^",\[{]++)*+(?:[,\[{]|\Z)', re.DOTALL
)
_SHORT = re.compile(r"[1-9][0-9]{0,14}(?:\.[0-9]{1,15})?", re.ASCII)  # needs no second look
_INFINITE = "number is infinity"  # what orjson says of a number that no 64-bit float is near to

JSONDecodeError = orjson.JSONDecodeError
Number = int | float | Decimal


class TooManyDigits(ValueError):
    """A number has more than MAX_DIGITS digits; the message is for its sender."""

    def __init__(self, text: str) -> None:
        shown = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
        super().__init__(f"The number {shown} has more than {MAX_DIGITS} digits, written out.")


class TooManyValues(ValueError):
    """A text holds more values than its reader takes."""


# Numbers


def number(text: str) -> Number:
    """The number that a text of JSON or GraphQL stands for. Raises TooManyDigits."""
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
    """Whether a number has few enough digits to be written out."""
    if not exact.is_finite() or abs(exact.adjusted()) > MAX_DIGITS:
        return False
    text = format(exact, "f")
    return len(text) - text.count("-") - text.count(".") <= MAX_DIGITS


def decimal(value: Number) -> Decimal:
    """A number with the digits that it was written with."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def written(value: Number) -> str:
    """A number in digits: without an exponent, and without the sign of zero."""
    text = format(decimal(value), "f")
    return text if value else text.removeprefix("-")


def _plainest(text: str) -> Number:
    """The number in a text without an exponent, as the type that prints the same digits."""
    if "." not in text:
        return int(text) if len(text) <= MAX_DIGITS else Decimal(text)
    value = float(text)
    return value if orjson.dumps(value) == text.encode() else Decimal(text)


# Documents


def no_json(value: Any) -> NoReturn:
    """Refuses a value that JSON does not have. Raises TypeError."""
    raise TypeError(f"JSON does not have values of the type {type(value).__name__}")


def loads(text: str | bytes) -> Any:
    """The value of a text that PostgreSQL wrote. Its numbers may have any number of digits."""
    encoded = _encoded(text)
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError:
        return _STORED.decode(encoded.decode())
    return value if _prints_alike(value, encoded) else _STORED.decode(encoded.decode())


def received(text: str | bytes, most: int | None = None) -> Any:
    """The value of a text that a client sent. Raises JSONDecodeError, TooManyDigits, and
    TooManyValues before anything is read."""
    encoded = _encoded(text)
    if most is not None and has_more(encoded, most):
        raise TooManyValues
    try:
        value = orjson.loads(encoded)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith(_INFINITE):
            raise
        return _read(_RECEIVED, encoded)
    is_stable = not any(mark in encoded for mark in _MARKS) or not _UNSTABLE.search(encoded)
    return value if is_stable and _prints_alike(value, encoded) else _read(_RECEIVED, encoded)


def has_more(encoded: bytes, most: int) -> bool:
    """True if a text of JSON holds more values than that; commas within texts are none."""
    if sum(map(encoded.count, (b",", b"[", b"{"))) < most:
        return False
    return sum(1 for _ in islice(_VALUES.finditer(encoded), most + 1)) > most


def skimmed(text: str) -> Any:
    """The value of a text that a client sent, for its strings: numbers may have lost digits. Raises
    JSONDecodeError."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not error.msg.startswith(_INFINITE):
            raise
        return _read(_SKIMMED, text.encode())


def dumps(value: Any, default: Callable[[Any], Any] = no_json, option: int | None = None) -> bytes:
    """The text of a value; `default` answers for what JSON does not have. Raises TypeError."""

    def encode(part: Any) -> Any:
        is_number = isinstance(part, Decimal) and part.is_finite()
        return orjson.Fragment(written(part)) if is_number else default(part)

    try:
        return orjson.dumps(value, encode, option)
    except TypeError:  # maybe an integer of more than 64 bits
        return orjson.dumps(_without_large(value), encode, option)


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same document: 0 is not false, and 1 is not 1.0."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
    if is_number(one) and is_number(other):
        return written(one) == written(other)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def is_number(value: Any) -> bool:
    """Whether a value of a document is a number; true and false are none."""
    return isinstance(value, Number) and not isinstance(value, bool)


def is_exact(text: bytes) -> bool:
    """Whether 64-bit floats hold all numbers of a text that was read already."""
    try:
        return _prints_alike(orjson.loads(text), text)
    except orjson.JSONDecodeError:
        return False


def _encoded(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _prints_alike(value: Any, encoded: bytes) -> bool:
    """Whether orjson prints the value that it read with the digits that it read."""
    try:
        again = orjson.dumps(value)
    except TypeError:  # nested more deeply than it prints
        return False
    return again == encoded or again.translate(None, _SPACE) == encoded.translate(None, _SPACE)


def _read(decoder: json.JSONDecoder, encoded: bytes) -> Any:
    """What an exact reader makes of a text, of which orjson may have seen only a part."""
    try:
        value = decoder.decode(encoded.decode())
        dumps(value)  # refuses half of a surrogate pair
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


def _without_large(value: Any) -> Any:
    """The same document with its integers of more than 64 bits as decimals."""
    if isinstance(value, dict):
        return {key: _without_large(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_large(part) for part in value]
    return Decimal(value) if type(value) is int and value.bit_length() > 63 else value
