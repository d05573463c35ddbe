"""Clock: the time of the database, which all gateways share, without a statement each time."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import ConnectionPoolEntry

from db.core.errors import FieldError, Unavailable
from db.core.values.validation import raise_if_invalid

MAX_AHEAD = timedelta(minutes=5)  # of a caller's time: clocks differ
MAX_AGE = timedelta(days=3653)  # of a caller's time: ten years

HELD = timedelta(seconds=5)  # a correction of a slow reading is less, of a clock set back is more

CLOCK = "clock"  # key of the info of connections

Ticks = Callable[[], float]


class Clock:
    """The time of one database: its last reading plus the monotonic seconds since. The wall clock
    of this machine, which may be wrong, is not used. It stands still while it is corrected by less
    than HELD, so that what happens later in this process is not stored with an earlier time."""

    def __init__(self, ticks: Ticks = time.monotonic) -> None:
        self.ticks = ticks
        self._start: datetime | None = None  # time of the database at tick 0
        self._latest = datetime.min.replace(tzinfo=UTC)

    def follow(self, engine: AsyncEngine) -> None:
        event.listen(engine.sync_engine, "connect", self._on_connect)

    def _on_connect(self, connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info[CLOCK] = self
        connection.autocommit = True
        cursor, asked = connection.cursor(), self.ticks()
        cursor.execute("select clock_timestamp()")
        [[at]] = cursor.fetchall()
        connection.autocommit = False
        self.set(at, asked, self.ticks())

    def lend(self, engine: AsyncEngine) -> None:
        """Tell this time on the connections of another engine, too."""

        def told(_: DBAPIConnection, record: ConnectionPoolEntry) -> None:
            record.info[CLOCK] = self

        event.listen(engine.sync_engine, "connect", told)

    @property
    def is_set(self) -> bool:
        return self._start is not None

    def set(self, at: datetime, asked: float, answered: float) -> None:
        """Adjust to a time read between two ticks, by no more than they require: a slow network
        must not turn the clock back."""
        at = at.astimezone(UTC)
        earliest, latest = at - timedelta(seconds=answered), at - timedelta(seconds=asked)
        middle = earliest + (latest - earliest) / 2
        self._start = min(max(self._start or middle, earliest), latest)

    def now(self) -> datetime:
        """The time of the database. Raises Unavailable before the first connection."""
        if self._start is None:
            raise Unavailable
        at = self._start + timedelta(seconds=self.ticks())
        if not at < self._latest < at + HELD:
            self._latest = at
        return self._latest


def time_faults(at: datetime, now: datetime, field: str) -> Iterator[FieldError]:
    """The error of a time outside MAX_AGE and MAX_AHEAD."""
    if not now - MAX_AGE <= at <= now + MAX_AHEAD:
        message = "The time must be between ten years ago and five minutes from now."
        yield FieldError(message, field)


def check_time(at: datetime, now: datetime, field: str) -> None:
    """Raises Invalid."""
    raise_if_invalid(time_faults(at, now, field))
