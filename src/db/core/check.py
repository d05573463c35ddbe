"""Check: what callers hand in, before it is stored; `field` is the name it has in the input.

All raise Invalid. Whether a text or a number may be null is for its column to say.
"""

from typing import Any

from db.core import json
from db.core.errors import Invalid
from db.core.item import MAX_DEPTH
from db.core.json import Number

MAX_JSON = 64_000  # bytes of a document


def length(value: str | None, field: str, most: int, least: int = 1) -> None:
    """Refuses a text that is too short or too long, in characters."""
    if value is not None and not least <= len(value) <= most:
        raise Invalid(f"This text must have {least} to {most:,} characters.", field)


def within(value: Number | None, field: str, least: int, most: Number) -> None:
    """Refuses a number out of bounds."""
    if value is not None and not least <= value <= most:
        raise Invalid(f"This must be a number from {least:,} to {most:,}.", field)


def number(value: Any, field: str, least: int, most: Number) -> None:
    """Refuses a value of a document that is no number, or one out of bounds."""
    within(value if json.is_number(value) else least - 1, field, least, most)


def document(value: Any, field: str) -> None:
    """Refuses JSON that is too large, too deep, or holds a number that JSON does not have."""
    if _is_deep(value):
        raise Invalid(f"This JSON is nested more than {MAX_DEPTH} levels deep.", field)
    try:
        size = len(json.dumps(value))
    except TypeError as error:
        raise Invalid("This JSON holds what cannot be stored.", field) from error
    if size > MAX_JSON:
        raise Invalid(f"This JSON may have at most {MAX_JSON:,} bytes.", field)


def mapping(value: Any, field: str) -> None:
    """Refuses what is no JSON object, null too, and one that `document` refuses."""
    if not isinstance(value, dict):
        raise Invalid("This must be a JSON object.", field)
    document(value, field)


def _is_deep(value: Any, depth: int = 1) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return depth > MAX_DEPTH or any(_is_deep(part, depth + 1) for part in value)
