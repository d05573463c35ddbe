"""Fingerprint: a hash that is the same for equivalent inputs, independent of their spelling.

The order of keys in JSON objects is ignored, numbers compare by value (1, 1.0 and 1e0 are equal)
and times as instants. An omitted field equals null, except for a `Maybe`, where null has a meaning
of its own. Lists keep their order; strings compare by character.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING

from strawberry import UNSET, Some

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN)


def fingerprint(input: "DataclassInstance", *but: str) -> str:
    """The fingerprint of an input without some fields, 64 hexadecimal digits."""
    given = ((name, value) for name, value in _fields(input) if name not in but)
    return sha256(f"{type(input).__name__}{_object(given)}".encode()).hexdigest()


def _fields(input: "DataclassInstance") -> Iterator[tuple[str, object]]:
    for item in fields(input):
        value = getattr(input, item.name)
        if value is not None and value is not UNSET:
            yield item.name, value


def _canonical(value: object) -> str:
    """The canonical text of a value. Numbers and strings never have the same text."""
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
    assert is_dataclass(value) and not isinstance(value, type)  # noqa: S101, PT018  inputs hold nothing else
    return _object(_fields(value))


def _object(items: Iterable[tuple[str, object]]) -> str:
    pairs = sorted((json.dumps(name), _canonical(value)) for name, value in items)
    return "{" + ",".join(f"{name}:{value}" for name, value in pairs) + "}"


def _number(value: float | Decimal) -> str:
    # Without insignificant zeros; a float by its shortest exact digits.
    exact = Decimal(value) if isinstance(value, int) else Decimal(str(value))
    number = exact.normalize(EXACT)
    return str(number) if number else "0"
