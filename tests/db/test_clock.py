"""The clock of the database as a process keeps it, and the ids that follow from it."""

from datetime import UTC, datetime, timedelta

import pytest

from db import Database
from db.core.errors import Invalid, Unavailable
from db.core.session.clock import Clock, check_time

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


class Ticks:
    """Seconds that a test counts."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_an_unset_clock_has_no_time() -> None:
    with pytest.raises(Unavailable):
        Clock().now()


def test_the_clock_continues_from_the_time_of_the_database() -> None:
    ticks = Ticks()
    clock = Clock(ticks)
    clock.set(NOON, asked=999.0, answered=1_000.0)
    assert clock.now() == NOON + timedelta(seconds=0.5)
    ticks.now += 60
    assert clock.now() == NOON + timedelta(seconds=60.5)


def test_it_follows_a_clock_that_was_set_and_not_the_delays_of_a_network() -> None:
    ticks = Ticks()
    clock = Clock(ticks)
    clock.set(NOON, asked=1_000.0, answered=1_000.0)
    clock.set(NOON, asked=998.0, answered=1_004.0)  # says that it is from 2 s late to 4 s early
    assert clock.now() == NOON
    clock.set(NOON + timedelta(hours=1), asked=1_000.0, answered=1_002.0)
    assert clock.now() == NOON + timedelta(hours=1) - timedelta(seconds=2)
    clock.set(NOON, asked=1_000.0, answered=1_000.0)
    assert clock.now() == NOON


def test_a_correction_does_not_turn_it_back() -> None:
    ticks = Ticks()
    clock = Clock(ticks)
    clock.set(NOON, asked=1_000.0, answered=1_002.0)  # a slow reading, taken as 1 s ahead
    first = clock.now()
    clock.set(NOON, asked=1_001.9, answered=1_002.0)
    assert clock.now() == first
    ticks.now += 4
    assert clock.now() == NOON + timedelta(seconds=2, milliseconds=100)


async def test_sessions_have_the_time_of_the_database(database: Database) -> None:
    first = await database.now()
    async with database.read() as session:
        second = session.now()
    async with database.write() as session:
        third = session.now()
    await database.read_clock()
    assert timedelta() <= third - first < timedelta(minutes=1)
    assert first <= second <= third <= await database.now() + timedelta(seconds=1)


@pytest.mark.parametrize("off", [timedelta(minutes=5), timedelta(), -timedelta(days=3653)])
def test_times_in_bounds_are_accepted(off: timedelta) -> None:
    check_time(NOON + off, NOON, "at")


@pytest.mark.parametrize("off", [timedelta(minutes=5), -timedelta(days=3653)])
def test_times_out_of_bounds_are_refused(off: timedelta) -> None:
    further = timedelta(microseconds=1 if off > timedelta() else -1)
    with pytest.raises(Invalid, match="between ten years ago and five minutes from now") as refused:
        check_time(NOON + off + further, NOON, "at")
    assert refused.value.field == "at"
