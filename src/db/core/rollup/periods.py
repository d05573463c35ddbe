"""Periods: the hours, days and months of UTC, in Python and in SQL."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import Interval, Uuid, cast, extract, func, literal, literal_column
from sqlalchemy.types import BigInteger

from db.core.query.time_range import Bucket
from db.core.table import Column, Expression

# Longer than one period and shorter than two: the period of a start plus this is the next one.
# In hours, because the length of a day depends on the time zone of the session.
_STEPS = {
    Bucket.HOUR: timedelta(hours=1.5),
    Bucket.DAY: timedelta(hours=36),
    Bucket.MONTH: timedelta(hours=40 * 24),
}

SETTLED = timedelta(minutes=5)  # after the end of a period: many late rows are not late by more


def start(at: datetime, width: Bucket) -> datetime:
    """The start of the period of an aware time."""
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if width is Bucket.HOUR:
        return hour
    return hour.replace(hour=0, day=1 if width is Bucket.MONTH else hour.day)


def week(at: datetime) -> datetime:
    """The Monday on which the week of an aware time starts."""
    day = start(at, Bucket.DAY)
    return day - timedelta(days=day.weekday())


def following(period: datetime, width: Bucket) -> datetime:
    return start(period + _STEPS[width], width)


def settled(now: datetime, width: Bucket) -> datetime:
    """The end of the periods that are to be closed."""
    return start(now - SETTLED, width)


def first_from(at: datetime, width: Bucket) -> datetime:
    """The start of the first period that begins at a time or later."""
    period = start(at, width)
    return period if period == at else following(period, width)


def between(first: datetime, end: datetime, width: Bucket) -> Iterator[datetime]:
    """The starts of the periods from the one that starts at `first` on, before `end`."""
    while first < end:
        yield first
        first = following(first, width)


def start_sql(at: Expression | Column, width: Bucket) -> Expression:
    unit: Expression = literal_column(f"'{width.lower()}'")
    utc: Expression = literal_column("'UTC'")
    return func.date_trunc(unit, at, utc)


def following_sql(period: Expression | Column, width: Bucket) -> Expression:
    return start_sql(period + literal(_STEPS[width], Interval), width)


def floor_sql(at: Expression | Column) -> Expression:
    """`ids.floor` of a time without fractions of a millisecond."""
    milliseconds = cast(extract("epoch", at) * 1000, BigInteger)
    return cast(func.lpad(func.to_hex(milliseconds), 12, "0").concat("7" + "0" * 19), Uuid)
