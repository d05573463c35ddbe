"""Room: memory that callers share, in bytes.

A caller may hold as many bytes as are free for others (the dynamic threshold of Choudhury and
Hahne, 1998), so one caller, however many connections it has, leaves room for everybody else.
Anonymous clients have a room of their own.
"""

from collections import Counter

from gateway.auth.clients import DEVELOPERS, Client


class Room:
    """Bytes that callers share."""

    def __init__(self, size: int) -> None:
        self.free = size
        self.held: Counter[str] = Counter()

    def take(self, caller: str, count: int) -> bool:
        """Counts bytes for a caller. False, and none is counted, where that is too much."""
        if self.held[caller] + count > self.free:
            return False
        self.held[caller] += count
        self.free -= count
        return True

    def release(self, caller: str, count: int) -> None:
        """Gives bytes back."""
        self.free += count
        self.held[caller] -= count
        if not self.held[caller]:
            del self.held[caller]


class Rooms:
    """A room for known callers, and one for anonymous clients."""

    def __init__(self, size: int) -> None:
        self.known = Room(size)
        self.anonymous = Room(size)

    def claim(self, caller: Client | None) -> "Claim":
        """What one request of a caller takes up."""
        name, known = caller or Client(DEVELOPERS, known=True)
        return Claim(name, self.known if known else self.anonymous)


class Claim:
    """The bytes that one request takes up."""

    def __init__(self, caller: str, room: Room) -> None:
        self.caller = caller
        self.room = room
        self.count = 0
        self.is_over = False

    def take(self, count: int) -> bool:
        """Takes more bytes. False, and none is taken, where there is no room for the caller, or the
        request is over."""
        if self.is_over or not self.room.take(self.caller, count):
            return False
        self.count += count
        return True

    def close(self) -> None:
        """Gives all of them back; the request is over."""
        self.room.release(self.caller, self.count)
        self.count, self.is_over = 0, True
