"""Memory shares: memory that clients share, in bytes.

A client may hold as many bytes as are free for others (the dynamic threshold of Choudhury and
Hahne, 1998), so one client with many connections leaves room for all others. Anonymous clients
share a room of their own.
"""

from collections import Counter

from graph.core.principal import Client


class Room:
    """Bytes that clients share."""

    def __init__(self, size: int) -> None:
        self.free = size
        self.held: Counter[str] = Counter()

    def take(self, client: str, count: int) -> bool:
        """Count bytes for a client. False, with none counted, if that is too much."""
        if self.held[client] + count > self.free:
            return False
        self.held[client] += count
        self.free -= count
        return True

    def release(self, client: str, count: int) -> None:
        self.free += count
        self.held[client] -= count
        if not self.held[client]:
            del self.held[client]


class Rooms:
    """A room for known clients, and one for anonymous clients."""

    def __init__(self, size: int) -> None:
        self.known = Room(size)
        self.anonymous = Room(size)

    def claim(self, client: Client) -> "Claim":
        return Claim(client.name, self.known if client.known else self.anonymous)


class Claim:
    """The bytes that one request takes up."""

    def __init__(self, client: str, room: Room) -> None:
        self.client = client
        self.room = room
        self.count = 0
        self.is_over = False

    def take(self, count: int) -> bool:
        """Take more bytes. False, with none taken, if there is no room or the claim is closed."""
        if self.is_over or not self.room.take(self.client, count):
            return False
        self.count += count
        return True

    def close(self) -> None:
        self.room.release(self.client, self.count)
        self.count, self.is_over = 0, True
