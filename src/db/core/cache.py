"""Cache: the most recently used values that fit into a number of bytes."""

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import TypeVar

from cachetools import LRUCache

K = TypeVar("K")
V = TypeVar("V")


class Cache(LRUCache[K, V]):
    """Keeps values up to `maxsize` bytes, each measured by `getsizeof`. A value larger than that is
    not kept. `misses` is the number of values that were made, because they were not there."""

    misses = 0

    def known(self, key: K) -> V | None:
        """The value of a key, which is looked up once."""
        try:
            return self[key]
        except KeyError:
            return None

    def __setitem__(self, key: K, value: V) -> None:
        self.misses += 1
        with suppress(ValueError):
            super().__setitem__(key, value)


def size_of(values: Iterable[object]) -> int:
    """The bytes that values take in memory, those in lists and tuples included."""
    return sum(
        sys.getsizeof(value) + (size_of(value) if isinstance(value, list | tuple) else 0)
        for value in values
    )
