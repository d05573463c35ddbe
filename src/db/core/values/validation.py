"""Check: what a value must be, declared with the column that stores it.

A check finds all that is wrong with a value, and says for the schema what is right.
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, SQLColumnExpression

from db.core.errors import FieldError, Invalid
from db.core.values import json
from db.core.values.json import Number

T = TypeVar("T")

MAX_NAME = 200  # characters of a text that is indexed: an index entry has less than 2,704 bytes
MAX_TEXT = 100_000  # characters of any other
MAX_JSON = 64_000  # bytes of a document
MAX_DEPTH = 32  # of JSON; our own encoder gives up at 254


@dataclass(frozen=True, slots=True)
class Check:
    """`said` describes acceptable values, and `faults` finds what is wrong with one.

    Where several spellings mean the same value, `clean` makes the one that is stored, and `spelled`
    does so for a column, which may hold others from earlier versions. `null` says why null is
    refused; else that is for the column itself to do. `most` are the characters of the longest
    text, or of each in a list.
    """

    said: str
    faults: Callable[[Any], Iterable[FieldError]]  # of the type of its column
    clean: Callable[[Any], Any] = lambda value: value  # as for `faults`
    spelled: Callable[[SQLColumnExpression[str]], ColumnElement[str]] | None = None
    null: str | None = None
    most: int | None = None


def single(said: str, wrong: Callable[[T], str | None]) -> Check:
    def faults(value: T) -> tuple[FieldError, ...]:
        message = wrong(value)
        return (FieldError(message),) if message else ()

    return Check(said, faults)


def field_errors(checks: Mapping[str, Check], values: Mapping[str, object]) -> Iterator[FieldError]:
    for name, check in checks.items():
        value = values.get(name)
        if value is not None:
            for fault in check.faults(value):
                yield fault.under(name)
        elif check.null and name in values:
            yield FieldError(check.null, name)


def raise_if_invalid(faults: Iterable[FieldError]) -> None:
    """Raises Invalid with all faults, if there are any."""
    if all_faults := tuple(faults):
        raise Invalid.of(all_faults)


# Texts and lists of them


def string(most: int = MAX_NAME, least: int = 1, blank: bool = True) -> Check:
    said = f"{least} to {most:,} characters." if least else f"At most {most:,} characters."

    def wrong(value: str) -> str | None:
        if not least <= len(value) <= most:
            return f"This text must have {least} to {most:,} characters."
        if not blank and not value.strip():
            return "This text must not be blank."
        return (
            None if is_storable(value) else "This text contains a character that cannot be stored."
        )

    return replace(single(said, wrong), most=most)


def pattern(regex: str, most: int, message: str, said: str = "") -> Check:
    matches = re.compile(regex, re.ASCII).fullmatch

    def wrong(value: str) -> str | None:
        return None if len(value) <= most and matches(value) else message

    return replace(single(said, wrong), most=most)


PROVIDER = pattern(
    "[a-z0-9][a-z0-9_.-]*",
    100,
    "A provider must be in lower case, like `openai`.",
    "1 to 100 lower-case letters, digits, `_`, `.` and `-`, like `openai`.",
)


def one_of(names: Collection[str], said: str | None = None) -> Check:
    shown = ", ".join(f"`{name}`" for name in names)
    message = f"This must be one of {', '.join(names)}."
    described = f"One of {shown}." if said is None else said
    accepted = single(described, lambda value: None if value in names else message)
    return replace(accepted, most=max(map(len, names)))


def items(most: int) -> Check:
    message = f"At most {most:,} are allowed."

    def wrong(value: Sized) -> str | None:
        return message if len(value) > most else None

    return single(f"At most {most:,}.", wrong)


def each(most: int, of: Check) -> Check:
    long = items(most)

    def faults(values: Collection[object]) -> Iterator[FieldError]:
        yield from long.faults(values)
        if len(values) <= most:
            for index, value in enumerate(values):
                yield from (fault.under(str(index)) for fault in of.faults(value))

    said = f"At most {most:,}, each of {of.said[0].lower()}{of.said[1:]}" if of.said else long.said
    return Check(said, faults, lambda values: [of.clean(value) for value in values], most=of.most)


def is_storable(value: str) -> bool:
    """Whether PostgreSQL can store a text: it has no U+0000 and no half of a surrogate pair."""
    if value.isascii():
        return "\0" not in value
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False


# Numbers


def within(least: int, most: Number) -> Check:
    message = f"This must be a number from {least:,} to {most:,}."

    def wrong(value: Number) -> str | None:
        return None if least <= value <= most else message

    return single("", wrong)


def number(least: int, most: Number) -> Check:
    message = f"This must be a number from {least:,} to {most:,}."

    def wrong(value: object) -> str | None:
        return None if json.is_number(value) and least <= value <= most else message

    return replace(single("", wrong), null=message)


PERCENT = within(0, 100)

# JSON

NESTING = (dict, list)
NUL = b"\\u0000"  # as it is written in JSON; after a backslash the same letters are harmless
NO_OBJECT = "This must be a JSON object."
NUL_IN_JSON = "This JSON contains the character U+0000, which cannot be stored."


def _part(value: object) -> str | None:
    if is_deep(value):
        return f"This JSON is nested more than {MAX_DEPTH} levels deep."
    return NUL_IN_JSON if holds_nul(value) else None


def _document(value: object) -> str | None:
    if message := _part(value):
        return message
    try:
        size = len(json.dumps(value))
    except TypeError:
        return "This JSON contains a value that cannot be stored."
    return f"This JSON may have at most {MAX_JSON:,} bytes." if size > MAX_JSON else None


def _object(value: object) -> str | None:
    return _document(value) if isinstance(value, dict) else NO_OBJECT


BOUNDS = f"of at most {MAX_JSON:,} bytes, nested at most {MAX_DEPTH} levels deep."
PART = single("", _part)  # of what is bounded as a whole
DOCUMENT = single(f"JSON {BOUNDS}", _document)
OBJECT = single(f"A JSON object {BOUNDS}", _object)
REQUIRED_OBJECT = replace(OBJECT, null=NO_OBJECT)


MAX_PART = 1_000  # bytes of a part of a document to compare with
MAX_LEVELS = 6  # of such a part


def _comparable(value: object) -> str | None:
    if not isinstance(value, dict):
        return NO_OBJECT
    if message := _document(value):
        return message
    if len(json.dumps(value)) > MAX_PART:
        return f"This JSON may have at most {MAX_PART:,} bytes."
    if is_deep(value, most=MAX_LEVELS):
        return f"This JSON is nested more than {MAX_LEVELS} levels deep."
    return None if _ends_in_values(value) else "Every object and list in it must have a value."


def _ends_in_values(value: object) -> bool:
    """False if an index of paths would not find it: PostgreSQL would read the whole index."""
    if not isinstance(value, NESTING):
        return True
    parts = list(value.values() if isinstance(value, dict) else value)
    return bool(parts) and all(map(_ends_in_values, parts))


CONTAINED = single(
    f"A JSON object of at most {MAX_PART:,} bytes, nested at most {MAX_LEVELS} levels deep.",
    _comparable,
)


def holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\0" in value
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return isinstance(parts, list) and any(map(holds_nul, parts))


def is_deep(value: object, depth: int = 1, most: int = MAX_DEPTH) -> bool:
    if not isinstance(value, NESTING):
        return False
    if depth > most:
        return True
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, NESTING) and is_deep(part, depth + 1, most):  # as seldom as can be
            return True
    return False
