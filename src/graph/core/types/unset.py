"""Unset: arguments and input fields that a client left out."""

from typing import TypeVar

from strawberry import UNSET

T = TypeVar("T")


def or_none(value: T | None) -> T | None:
    """What a client sent; None for null and where it was left out. 0, "" and [] are values."""
    return None if value is UNSET else value
