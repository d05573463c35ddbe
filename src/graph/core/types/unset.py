"""Unset: arguments and input fields that a client omitted."""

from typing import TypeVar

from strawberry import UNSET

T = TypeVar("T")


def or_none(value: T | None) -> T | None:
    """The value, or None if it was omitted. 0, "" and [] are values."""
    return None if value is UNSET else value
