"""Sampler: at most 200 requests a second, each with the number of requests that it stands for.

Up to that rate every request is chosen, with weight 1. Above it the gaps between chosen requests
are random, so that no rhythm of clients decides, and their mean follows the rate of the second
before. The last request of a second stands for the rest, so the weights always sum to the requests.
"""

import sys
from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

MOST = 200  # a second
SECOND = 1.0
AIM = 0.9 * MOST  # gaps are chosen for fewer, because their sum varies
NEVER = sys.maxsize  # the gap to the next second

Item = TypeVar("Item")


class Sampler(Generic[Item]):
    """Calls `choose` with the requests it chooses, and their weights."""

    def __init__(self, choose: Callable[[Item, int], None]) -> None:
        self.choose = choose
        self.random = Random()  # noqa: S311  no secret
        self.ends = 0.0  # of this second
        self.seen = self.chosen = 0  # in this second
        self.stride = 1.0  # the mean gap
        self.gap = 1
        self.pending = 0  # requests since the last chosen one
        self.latest: Item | None = None  # the last of them

    def add(self, item: Item, now: float) -> None:
        if now >= self.ends:
            self._begin(now)
        self.pending += 1
        self.latest = item
        if self.pending >= self.gap:
            self._take()

    def flush_if_over(self, now: float) -> None:
        """Choose the rest of a second that has ended without a request after it."""
        if now >= self.ends:
            self.flush()

    def flush(self) -> None:
        """Choose the latest request, for all that are pending."""
        latest, weight = self.latest, self.pending
        self.latest, self.pending = None, 0
        self.seen += weight
        if latest is not None:
            self.choose(latest, weight)

    def _begin(self, now: float) -> None:
        self.flush()
        is_busy = self.seen > MOST and now < self.ends + SECOND
        self.stride = self.seen / AIM if is_busy else 1.0
        self.seen = self.chosen = 0
        self.ends = now + SECOND
        self.gap = self._next_gap()

    def _take(self) -> None:
        self.flush()
        self.chosen += 1
        self.gap = self._next_gap() if self.chosen < MOST - 1 else NEVER  # the last is the rest

    def _next_gap(self) -> int:
        return 1 + int(self.random.random() * (2 * self.stride - 1))
