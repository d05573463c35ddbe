"""Compare: what the operators of filters say about one value, without PostgreSQL.

Each answers as its SQL does, or None where only PostgreSQL knows: the order of texts, and which
letters are the same in upper and lower case, depend on the collation of the database.
"""

from collections.abc import Callable, Mapping
from operator import ge, gt, le, lt
from typing import Any

Predicate = Callable[[Any, Any], bool | None]


def _ordered(compare: Callable[[Any, Any], bool]) -> Predicate:
    def holds(value: Any, other: Any) -> bool | None:
        if value is None:
            return False
        return None if isinstance(other, str) else compare(value, other)

    return holds


def _folded(find: Callable[[str, str], bool]) -> Predicate:
    def holds(value: str | None, other: str) -> bool | None:
        if value is None:
            return False
        sure = _folds_alike(value) and _folds_alike(other)
        return find(value.lower(), other.lower()) if sure else None

    return holds


def _folds_alike(text: str) -> bool:
    """Whether its small letters are the same everywhere; in Turkish that of I has no dot."""
    return text.isascii() and "I" not in text


PREDICATES: Mapping[str, Predicate] = {
    "eq": lambda value, other: value is not None and value == other,
    "ne": lambda value, other: value is None or value != other,
    "in": lambda value, others: value is not None and value in others,
    "not_in": lambda value, others: value is None or value not in others,
    "lt": _ordered(lt),
    "lte": _ordered(le),
    "gt": _ordered(gt),
    "gte": _ordered(ge),
    "contains": _folded(lambda value, part: part in value),
    "starts_with": _folded(str.startswith),
    "is_null": lambda value, wanted: (value is None) is wanted,
    "has_any": lambda values, others: values is not None and not set(values).isdisjoint(others),
    "has_all": lambda values, others: values is not None and set(values).issuperset(others),
}


def all_true(parts: list[bool | None]) -> bool | None:
    """Whether all hold; None where that depends on what is not known."""
    if False in parts:
        return False
    return None if None in parts else True


def any_true(parts: list[bool | None]) -> bool | None:
    """Whether one holds; None where that depends on what is not known."""
    if True in parts:
        return True
    return None if None in parts else False
