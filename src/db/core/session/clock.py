"""Clock: the time of the database, which all gateways share, known without asking each time."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from db.core.errors import Invalid, Unavailable

MAX_AHEAD = timedelta(minutes=5)  # how far in the future a time of a caller may lie: clocks differ
MAX_AGE = timedelta(days=3653)  # how far in the past: ten years

CLOCK = "clock"  # its name in the info of connections

Ticks = Callable[[], float]


class Clock:
    """The time of one database: what it last said, and the seconds that this process has counted
    since. The clock of this machine, which may be wrong, plays no part."""

    def __init__(self, ticks: Ticks = time.monotonic) -> None:
        self.ticks = ticks
        self._start: datetime | None = None  # the time of the database at tick 0

    def follow(self, engine: AsyncEngine) -> None:
        """Is set with each new connection of an engine, which then knows it."""
        event.listen(engine.sync_engine, "connect", self._on_connect)

    def _on_connect(self, connection: Any, record: Any) -> None:
        record.info[CLOCK] = self
        connection.autocommit = True
        cursor, asked = connection.cursor(), self.ticks()
        cursor.execute("select clock_timestamp()")
        [[at]] = cursor.fetchall()
        connection.autocommit = False
        self.set(at, asked, self.ticks())

    @property
    def is_set(self) -> bool:
        """Whether the database has said its time yet."""
        return self._start is not None

    def set(self, at: datetime, asked: float, answered: float) -> None:
        """Takes the time that the database gave between two ticks, and moves no further than they
        prove necessary: times taken one after the other must not run back for a slow network."""
        earliest, latest = at - timedelta(seconds=answered), at - timedelta(seconds=asked)
        middle = earliest + (latest - earliest) / 2
        self._start = min(max(self._start or middle, earliest), latest)

    def now(self) -> datetime:
        """The time of the database. Raises Unavailable before it has said it."""
        if self._start is None:
            raise Unavailable
        return (self._start + timedelta(seconds=self.ticks())).astimezone(UTC)


def check_time(at: datetime, now: datetime, field: str) -> None:
    """Refuses a time at which nothing that is reported now can have happened. Raises Invalid."""
    if not now - MAX_AGE <= at <= now + MAX_AHEAD:
        raise Invalid("The time must lie between ten years ago and five minutes from now.", field)
