"""Ids: UUIDv7 made from the row's own time, so that the order of ids is the order of time.

Layout of RFC 9562 §5.7 with the sub-millisecond fraction in `rand_a` (§6.2, method 3): 48 bits of
milliseconds since 1970, 12 bits of fraction, 62 bits of randomness or of a key. A microsecond has
about four fractions of its own, therefore ids compare exactly as their times do.
"""

import hashlib
import os
from datetime import UTC, datetime, timedelta
from uuid import UUID

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def _time_bits(at: datetime) -> int:
    since = at - EPOCH
    milliseconds, microseconds = divmod(since.microseconds, 1000)
    milliseconds += (since.days * 86_400 + since.seconds) * 1000
    return milliseconds << 80 | microseconds * 4096 // 1000 << 64


class RandomBits:
    """Random numbers of 62 bits. The system is asked for many at once, because a call costs more
    than an id."""

    STOCK = 512

    def __init__(self) -> None:
        self._stock: list[int] = []

    def next(self) -> int:
        if not self._stock:
            fresh = os.urandom(8 * self.STOCK)
            self._stock = [
                int.from_bytes(fresh[start : start + 8]) >> 2 for start in range(0, len(fresh), 8)
            ]
        return self._stock.pop()

    def forget(self) -> None:
        self._stock = []


_random = RandomBits()
os.register_at_fork(after_in_child=_random.forget)  # else both processes use the same numbers


def uuid7(at: datetime, key: str | None = None) -> UUID:
    """An id of that time (aware, 1970 to 10889): random, or the same each time for the same key."""
    low = _random.next() if key is None else _digest(key)
    return UUID(int=_time_bits(at) | _VERSION | _VARIANT | low)


def floor(at: datetime) -> UUID:
    """The bound below every id of that time and above every earlier one."""
    return UUID(int=_time_bits(at) | _VERSION)


def ceiling(at: datetime) -> UUID:
    return UUID(int=_time_bits(at) | _VERSION | 2**64 - 1)


def time_of(id: UUID) -> datetime:
    fraction = id.int >> 64 & 0xFFF
    microseconds = -(-fraction * 1000 // 4096)
    return EPOCH + timedelta(milliseconds=id.int >> 80, microseconds=microseconds)


# Ids of one time and different keys are not ordered. Where the order matters, 16 of the 62 bits
# hold the position of a row among those of its time; the others distinguish the keys.

PLACES = 2**16
_KEY_BITS = 46


def placed(id: UUID, place: int) -> UUID:
    """The id with a position among those of its time; positions from PLACES on share the last."""
    shift = min(place, PLACES - 1) << _KEY_BITS
    return UUID(int=id.int & ~(PLACES - 1 << _KEY_BITS) | shift)


def place_of(id: UUID) -> int:
    """The position in an id made by `placed`; for others an arbitrary number."""
    return id.int >> _KEY_BITS & PLACES - 1


def key_of(id: UUID) -> tuple[int, int]:
    return id.int >> 64, id.int & 2**_KEY_BITS - 1


def _digest(key: str) -> int:
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 2
