"""Waiting room: connections without a request or a credential, limited in total and by network.

If there are too many, the oldest is closed. So idle connections do not lock out a client that sends
its request at once.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False, slots=True)
class Waiting:
    """One connection of a network, None for one that is not bounded by network."""

    network: str | None
    give_up: Callable[[], None]


class WaitingRoom:
    """At most `most` connections, and `most_per_network`; 0 is no limit."""

    def __init__(self, most: int, most_per_network: int) -> None:
        self.most = most
        self.most_per_network = most_per_network
        self.all: dict[Waiting, None] = {}  # the oldest first
        self.by_network: dict[str, dict[Waiting, None]] = defaultdict(dict)

    def add(self, waiting: Waiting) -> None:
        """Count one more, and give up the oldest where there are too many."""
        self.all[waiting] = None
        if waiting.network is not None:
            of_network = self.by_network[waiting.network]
            of_network[waiting] = None
            self._shrink(of_network, self.most_per_network)
        self._shrink(self.all, self.most)

    def remove(self, waiting: Waiting) -> None:
        self.all.pop(waiting, None)
        if waiting.network is None:
            return
        of_network = self.by_network[waiting.network]
        of_network.pop(waiting, None)
        if not of_network:
            del self.by_network[waiting.network]

    def _shrink(self, waiting: dict[Waiting, None], most: int) -> None:
        if most and len(waiting) > most:
            oldest = next(iter(waiting))
            self.remove(oldest)
            oldest.give_up()
