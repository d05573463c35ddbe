"""Random queries: filters and orders that may be asked for, of dreams and tests.

For each kind of column there is every comparator, with values that occur and values that do not.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any

from hypothesis import strategies as st

from support.factories import START
from support.random_rows import (
    CATEGORIES,
    COSTS,
    LABELS,
    SCORES,
    STATUSES,
    TEST_STATUSES,
    TEXTS,
    TIMES,
    USER_IDS,
    WHOLE,
    Row,
)


@st.composite
def compared(draw: st.DrawFn, values: list[Any], *operators: str) -> Row:
    """One or two comparisons of a column with such values."""
    one, several = st.sampled_from(values), st.lists(st.sampled_from(values), max_size=3)
    shapes = {
        **dict.fromkeys(("in", "notIn", "hasAny", "hasAll"), several),
        "isNull": st.booleans(),
    }
    chosen = draw(st.lists(st.sampled_from(operators), min_size=1, max_size=2, unique=True))
    return {operator: draw(shapes.get(operator, one)) for operator in chosen}


EQUAL = ("eq", "ne", "in", "notIn")
ORDERED = (*EQUAL, "lt", "lte", "gt", "gte", "isNull")
ALL = (*ORDERED, "contains", "startsWith", "hasAny", "hasAll")
texts = compared(TEXTS, *ORDERED, "contains", "startsWith")
times = compared([*TIMES, START + timedelta(days=2)], *ORDERED)

COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "user": {"email": texts, "passportTier": texts, "createdAt": times},
    "dream": {
        "userId": compared(USER_IDS, *EQUAL, "isNull"),
        "title": texts,
        "category": compared(CATEGORIES, *EQUAL),
        "status": compared(STATUSES, *EQUAL),
        "tags": compared(LABELS, "hasAny", "hasAll"),
        "isPublic": compared([True, False], "eq", "ne", "isNull"),
        "createdAt": times,
        "updatedAt": times,
    },
    "test": {
        "provider": texts,
        "status": compared(TEST_STATUSES, *EQUAL),
        "impossibilityScore": compared([*SCORES, *map(Decimal, ("33.334", "-1", "1e9"))], *ORDERED),
        "durationMs": compared([*WHOLE, 2, -(2**62)], *ORDERED),
        "cost": compared([*COSTS, *map(Decimal, ("0.0299999", "1e12"))], *ORDERED),
        "createdAt": times,
    },
}
RELATIONS = {"dream": {"tests": "test"}, "test": {"dream": "dream"}}


@st.composite
def filters(draw: st.DrawFn, noun: str, depth: int = 2, related: bool = True) -> Row:
    """A filter on a noun: up to two conditions, or filters joined by `and`, `or` and `not`."""
    relations = RELATIONS[noun] if related else {}
    parts = {name: filters(target, 1, related=False) for name, target in relations.items()}
    fields = {**COLUMNS[noun], **parts}
    kind = draw(st.sampled_from(["fields", "fields", "and", "or", "not"] if depth else ["fields"]))
    inner = filters(noun, depth - 1, related)
    if kind == "not":
        return {"not": draw(inner)}
    if kind in ("and", "or"):
        return {kind: draw(st.lists(inner, max_size=3))}
    names = draw(st.lists(st.sampled_from([*fields]), min_size=1, max_size=2, unique=True))
    return {name: draw(fields[name]) for name in names}


def orders(names: Iterable[str]) -> st.SearchStrategy[list[Row]]:
    term = st.fixed_dictionaries(
        {"field": st.sampled_from([*names]), "direction": st.sampled_from(["ASC", "DESC"])}
    )
    return st.lists(term, max_size=2, unique_by=itemgetter("field"))


def sent(thing: Any, field: str = "") -> Any:
    """A filter as a client writes it in JSON; scores are floats, money is text."""
    if isinstance(thing, dict):
        return {name: sent(part, field if name in ALL else name) for name, part in thing.items()}
    if isinstance(thing, list):
        return [sent(part, field) for part in thing]
    if isinstance(thing, Decimal):
        return str(thing) if field == "cost" else float(thing)
    return thing.isoformat() if isinstance(thing, datetime) else thing
