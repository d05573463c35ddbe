"""Time range: half-open ranges of time [since, until), and the buckets of series.

Ids are made from the time of their row, so a time range is a range of ids, which prunes partitions
and uses the primary key.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, func, literal_column, select

from db.core import ids
from db.core.errors import Invalid
from db.core.query.batch import Column
from db.core.session.database import ReadSession, ResultRow
from db.core.table import AnySelect, Expression
from db.core.timeouts import Kind, of_kind

MOST_POINTS = 10_000


class Bucket(StrEnum):
    """The width of one bucket of a series."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"


@dataclass(frozen=True, slots=True)
class TimeRange:
    """A range of time; a bound of None is open. Raises Invalid if it ends before it starts."""

    since: datetime | None
    until: datetime | None
    now: datetime = field(compare=False)

    def __post_init__(self) -> None:
        if self.since and self.until and self.until < self.since:
            raise Invalid("The time range ends before it starts.", "to")

    def or_last(self, time: timedelta) -> "TimeRange":
        return self if self.since or self.until else replace(self, since=self.now - time)

    @property
    def length(self) -> timedelta:
        """Up to now if there is no end."""
        return (self.until or self.now) - (self.since or ids.EPOCH)

    def check_longest(self, time: timedelta, otherwise: str = "") -> None:
        """Raises Invalid for a longer range; `otherwise` says what else the caller can do."""
        if self.length > time:
            message = (
                f"The time range is longer than {time.days} days; use a shorter one{otherwise}."
            )
            raise Invalid(message, "from")

    def of(self, id: Column) -> list[ColumnElement[bool]]:
        lower = [id >= ids.floor(self.since)] if self.since else []
        upper = [id < ids.floor(self.until)] if self.until else []
        return [*lower, *upper]


def bucket_start(time: Column | Expression, bucket: Bucket) -> Expression:
    """The start of the bucket of a time, in UTC; weeks start on Monday."""
    unit: Expression = literal_column(f"'{bucket.lower()}'")
    utc: Expression = literal_column("'UTC'")
    return func.date_trunc(unit, time, utc).label("bucket")


def first_and_last(time: Column, id: Column, *where: ColumnElement[bool]) -> AnySelect:
    """Select the times of the first and the last row that meet conditions, each from an end of an
    index; nulls without any."""
    times = select(time).where(*where)
    first = times.order_by(id).limit(1).scalar_subquery().label("first")
    last = times.order_by(id.desc()).limit(1).scalar_subquery().label("last")
    return select(first, last)


async def series_points(session: ReadSession, series: AnySelect) -> list[ResultRow]:
    """The rows of a series. Raises Invalid for more than MOST_POINTS."""
    message = f"More than {MOST_POINTS} points; use a wider bucket or a shorter time range."
    return await _at_most(session, series, message, "bucket")


async def group_sums(session: ReadSession, groups: AnySelect) -> list[ResultRow]:
    """The rows of an aggregate, one for each group. Raises Invalid for more than MOST_POINTS."""
    message = f"More than {MOST_POINTS} groups in this time range; use a shorter one."
    return await _at_most(session, groups, message, "from")


async def _at_most(
    session: ReadSession, statement: AnySelect, message: str, argument: str
) -> list[ResultRow]:
    limited = of_kind(Kind.AGGREGATE, statement.limit(MOST_POINTS + 1))
    rows = list(await session.rows(limited))
    if len(rows) > MOST_POINTS:
        raise Invalid(message, argument)
    return rows
