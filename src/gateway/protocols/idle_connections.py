"""Idle connections: HTTP connections without a whole request, limited in number.

Without a limit, connections that send nothing use up the file descriptors of the process.
"""

from collections.abc import Callable

from gateway.middleware.forwarded import address
from gateway.networks import client_network
from gateway.protocols.waiting_room import Waiting, WaitingRoom
from gateway.settings import Settings


class IdleConnections(WaitingRoom):
    """The idle connections of this process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.max_idle_connections, settings.max_idle_connections_per_network)
        self.proxies = settings.proxies

    def network_of(self, host: str) -> str | None:
        """The network that the connections of a host are counted for; None for a trusted proxy,
        which keeps connections for many clients."""
        peer = address(host)
        if peer is not None and any(peer in proxies for proxies in self.proxies):
            return None
        return client_network(host)


class Idleness:
    """Whether one connection is idle. Both methods are idempotent."""

    __slots__ = ("_connections", "_is_idle", "_waiting")

    def __init__(
        self, connections: IdleConnections, host: str, give_up: Callable[[], None]
    ) -> None:
        self._connections = connections
        self._waiting = Waiting(connections.network_of(host), give_up)
        self._is_idle = False

    def begin(self) -> None:
        if not self._is_idle:
            self._is_idle = True
            self._connections.add(self._waiting)

    def end(self) -> None:
        if self._is_idle:
            self._is_idle = False
            self._connections.remove(self._waiting)
