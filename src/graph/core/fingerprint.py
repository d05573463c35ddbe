"""Fingerprint: inputs that mean the same have the same one, however they were written.

Keys of JSON objects count in any order, numbers by their value (1, 1.0 and 1e0 are one number) and
times as instants. A field that was left out counts as null, but for a `Maybe`, where null means
something else; elements of lists count in their order, texts letter by letter.
"""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from enum import Enum
from hashlib import sha256
from typing import Any

from strawberry import UNSET, Some

EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def fingerprint(input: Any, *but: str) -> str:
    """64 hexadecimal digits that stand for an input, without the fields named."""
    given = ((name, value) for name, value in _fields(input) if name not in but)
    return sha256(f"{type(input).__name__}{_object(given)}".encode()).hexdigest()


def _fields(input: Any) -> Iterator[tuple[str, Any]]:
    for item in fields(input):
        value = getattr(input, item.name)
        if value is not None and value is not UNSET:
            yield item.name, value


def _canonical(value: Any) -> str:
    """One text for all ways to write a value; that of a number and of a text are never the same."""
    match value:
        case None | bool():
            return json.dumps(value)
        case Enum():
            return _canonical(value.value)
        case str():
            return json.dumps(value)
        case int() | float() | Decimal():
            return _number(value)
        case datetime():
            return f"at {value.astimezone(UTC).isoformat()}"
        case Some():
            return f"some {_canonical(value.value)}"
        case list() | tuple():
            return f"[{','.join(map(_canonical, value))}]"
        case dict():
            return _object(value.items())
    assert is_dataclass(value)  # noqa: S101  inputs hold nothing else
    return _object(_fields(value))


def _object(items: Any) -> str:
    pairs = sorted((json.dumps(name), _canonical(value)) for name, value in items)
    return "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"


def _number(value: float | Decimal) -> str:
    """Without zeros that do not count; a floating point number by the digits that identify it."""
    exact = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    number = exact.normalize(EXACT)
    return str(number) if number else "0"
