"""Answers: whether two servers said the same, in their own spellings.

Servers spell ids, numbers, times and lists differently; the values must be equal.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

NUMBERS = {
    *("impossibilityScore", "confidence", "cost", "duration"),
    *("averageImpossibility", "improvementTrend"),
}
TIMES = {"createdAt", "lastActive"}

Json = Any  # a value of JSON


def normalised(answer: Json) -> Json:
    """The `data` of a response with one spelling for each value. Raises ValueError for errors."""
    if answer.get("errors") or answer.get("data") is None:
        raise ValueError(f"the answer has errors: {answer}")
    data = {name: _value(name, value) for name, value in answer["data"].items()}
    if "rest" in data:  # the gateway's second page of Q5
        data["agents"] += data.pop("rest")
    return data


def difference(found: Json, expected: Json, path: str = "data") -> str | None:
    """Where two values differ first, or None."""
    return next(_differences(found, expected, path), None)


def _differences(found: Json, expected: Json, path: str) -> Iterator[str]:
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in expected:
            yield from _differences(found[key], expected[key], f"{path}.{key}")
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for index, pair in enumerate(zip(found, expected, strict=True)):
            yield from _differences(*pair, f"{path}[{index}]")
    elif found != expected:
        yield f"{path} is {_short(found)}, not {_short(expected)}"


def _value(name: str, value: Json) -> Json:
    if isinstance(value, dict):
        return _object(name, value)
    if isinstance(value, list):
        return [_value("", each) for each in value]
    return SPELLINGS.get(name, _same)(value) if value is not None else None


def _object(name: str, value: Mapping[str, Json]) -> Json:
    """Fields in the order of their names, or what a page or payload contains."""
    if len(value) == 1 and (inner := value.get("nodes", value.get("result"))) is not None:
        return _value(name, inner)
    return {key: _value(key, value[key]) for key in sorted(value)}


def _id(value: str) -> str:
    """`dream_0197…` of the gateway, and a UUID with dashes, as hexadecimal digits."""
    return re.sub(r"^[a-z_]+_(?=[0-9a-f]{32}$)|-", "", value)


def _number(value: str | float) -> float:
    return round(float(value), 6)


def _time(value: str) -> float:
    return round(datetime.fromisoformat(value).timestamp(), 3)


def _same(value: Json) -> Json:
    return value


def _short(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


SPELLINGS: Mapping[str, Callable[[Any], Json]] = {
    "id": _id,
    **dict.fromkeys(NUMBERS, _number),
    **dict.fromkeys(TIMES, _time),
}
