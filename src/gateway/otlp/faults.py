"""Faults: why a request cannot be read, or an item cannot be stored."""

MAX_ITEMS = 8_192  # of a request, what a collector sends by default
MAX_ITEM_BYTES = 100_000  # of an item, a resource or a scope
MAX_VALUES = 2_000  # of an item, a resource or a scope


class Malformed(Exception):
    """The request is not what it is declared to be. The message is for the client."""


class Refused(Exception):
    """One item cannot be stored. The message is for the client."""


def too_many_values() -> Refused:
    return Refused(f"more than {MAX_VALUES:,} values")
