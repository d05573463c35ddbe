"""Error values: prints client values in graphql-core's messages as short JSON.

graphql-core prints values as Python does, True and {'a': None}, without a setting for it. All of
its modules use the one function that is replaced here.
"""

import json
import sys
from collections.abc import Sequence
from decimal import Decimal

import graphql.pyutils

MAX_TEXT = 100  # characters
MAX_ITEMS = 5  # of a list or an object
MAX_DEPTH = 2

_printing = sys.modules[f"{graphql.pyutils.__name__}.inspect"]  # a function hides the module
_FUNCTION = "inspect_recursive"
_as_python = getattr(_printing, _FUNCTION)


def install() -> None:
    setattr(_printing, _FUNCTION, quoted)


def quoted(value: object, seen: Sequence[object] = ()) -> str:
    """A client's value as shortened JSON; other values as graphql-core prints them."""
    if value is None or isinstance(value, bool | int | float):
        return _short(json.dumps(value))
    if isinstance(value, Decimal):
        return _short(str(value))
    if isinstance(value, str):
        return json.dumps(_short(value), ensure_ascii=False)
    if isinstance(value, list | dict):
        return _nested(value, seen)
    return str(_as_python(value, [*seen]))


def _nested(value: list[object] | dict[str, object], seen: Sequence[object]) -> str:
    opening, closing = "[]" if isinstance(value, list) else "{}"
    if value and len(seen) >= MAX_DEPTH:
        return f"{opening}…{closing}"
    within = [*seen, value]
    if isinstance(value, list):
        shown = [quoted(part, within) for part in value[:MAX_ITEMS]]
    else:
        some = list(value.items())[:MAX_ITEMS]
        shown = [f"{quoted(name)}: {quoted(part, within)}" for name, part in some]
    more = ["…"] if len(value) > MAX_ITEMS else []
    return f"{opening}{', '.join([*shown, *more])}{closing}"


def _short(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"
