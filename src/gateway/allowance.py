"""Allowance: how many of something a connection may send, which grows with time."""

import time


class Allowance:
    """`per_second` of something, and `most` at once after a time of silence."""

    __slots__ = ("at", "left", "most", "per_second")

    def __init__(self, per_second: float, most: float) -> None:
        self.per_second = per_second
        self.most = most
        self.left = most
        self.at = time.monotonic()

    def take(self, count: int = 1) -> bool:
        """Takes so many; False where they are more than there are."""
        now = time.monotonic()
        self.left = min(self.most, self.left + (now - self.at) * self.per_second) - count
        self.at = now
        return self.left >= 0
