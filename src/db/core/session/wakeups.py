"""Hints: what a writer says after its commit, so that readers of feeds need not wait to look."""

from collections.abc import Callable, Collection


class Wakeups:
    """Passes on the names of feeds that may have something new. A hint is never the truth: readers
    look anyhow, and nothing is lost with it but a moment."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Collection[str]], None]] = []

    def notify(self, *feeds: str) -> None:
        """To be called after the commit; does not wait."""
        if feeds:
            for hear in self.listeners:
                hear(feeds)
