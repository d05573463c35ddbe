"""Wakeups: notifications after a commit, so that feed readers need not wait for their next poll."""

from collections.abc import Callable, Collection


class Wakeups:
    """Sends the names of feeds that may have new rows to listeners. Readers poll anyway, so a lost
    wakeup only costs time."""

    def __init__(self) -> None:
        self.listeners: list[Callable[[Collection[str]], None]] = []

    def notify(self, *feeds: str) -> None:
        """Call after the commit; does not wait."""
        if feeds:
            for listener in self.listeners:
                listener(feeds)
