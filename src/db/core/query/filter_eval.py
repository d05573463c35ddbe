"""Filter evaluation: the operators of filters on one value, without PostgreSQL.

Each returns the result of its SQL, or None if only PostgreSQL can decide: the order of texts and
case folding depend on the collation of the database.
"""

from collections.abc import Callable
from typing import Any

Predicate = Callable[[Any, Any], bool | None]  # Any: values of the type of a column


def ordered(compare: Predicate) -> Predicate:
    def holds(value: object, other: object) -> bool | None:
        if value is None:
            return False
        return None if isinstance(other, str) else compare(value, other)

    return holds


def ignoring_case(find: Callable[[str, str], bool]) -> Predicate:
    def holds(value: str | None, other: str) -> bool | None:
        if value is None:
            return False
        sure = _folds_alike(value) and _folds_alike(other)
        return find(value.lower(), other.lower()) if sure else None

    return holds


def _folds_alike(text: str) -> bool:
    """True if lowercasing does not depend on the collation; in Turkish that of I does."""
    return text.isascii() and "I" not in text


def all_true(parts: list[bool | None]) -> bool | None:
    """True if all parts are; None if that depends on unknown parts."""
    if False in parts:
        return False
    return None if None in parts else True


def any_true(parts: list[bool | None]) -> bool | None:
    """True if one part is; None if that depends on unknown parts."""
    if True in parts:
        return True
    return None if None in parts else False
