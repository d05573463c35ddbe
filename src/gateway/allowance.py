"""Allowance: a token bucket for what one connection may send."""

import time


class Allowance:
    """`per_second` on average, and `most` at once."""

    __slots__ = ("at", "left", "most", "per_second")

    def __init__(self, per_second: float, most: float) -> None:
        self.per_second = per_second
        self.most = most
        self.left = most
        self.at = time.monotonic()

    def take(self, count: int = 1) -> bool:
        now = time.monotonic()
        self.left = min(self.most, self.left + (now - self.at) * self.per_second) - count
        self.at = now
        return self.left >= 0
