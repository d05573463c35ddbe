"""KPIs: business figures of dreams, tests and users over time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import BigInteger, cast, func, select

from db.ai_tests.spending import BUCKETS
from db.ai_tests.sums import ROLLUP
from db.core.errors import Invalid
from db.core.query.time_range import Bucket, TimeRange
from db.core.rollup import combined
from db.core.rollup.periods import week
from db.core.session.database import ReadSession, ResultRow
from db.core.table import AnySelect
from db.core.timeouts import Kind, of_kind
from db.kpis import activity, milestones

LATELY = timedelta(days=30)
LONGEST = {Bucket.DAY: timedelta(days=92), Bucket.WEEK: timedelta(days=731)}
COHORTS = 12  # weeks
ACTIVE = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a time range, or of one bucket."""

    bucket: datetime | None = None
    dreams_written: int = 0
    dreams_published: int = 0
    dreams_achieved: int = 0
    dreams_remixed: int = 0
    median_days_to_achieve: float | None = None
    test_count: int = 0
    model_count: int = 0
    active_users: int = 0


async def totals(session: ReadSession, span: TimeRange) -> Figures:
    found = [row for each in _statements(span, None) for row in await _rows(session, each)]
    return _merged(Figures(), found)


async def series(session: ReadSession, span: TimeRange, bucket: Bucket) -> list[Figures]:
    """The figures of each bucket with any, oldest first. Raises Invalid."""
    _check(span, bucket)
    by_start: dict[datetime, list[ResultRow]] = {}
    for each in _statements(span, bucket):
        for row in await _rows(session, each):
            by_start.setdefault(row.bucket, []).append(row)
    return [_merged(Figures(start), rows) for start, rows in sorted(by_start.items())]


def _check(span: TimeRange, bucket: Bucket) -> None:
    if bucket not in BUCKETS:
        raise Invalid("The bucket must be DAY, WEEK or MONTH.", "bucket")
    if bucket in LONGEST:
        span.check_longest(LONGEST[bucket], " or a wider bucket")


def _statements(span: TimeRange, bucket: Bucket | None) -> Iterator[AnySelect]:
    yield milestones.reached(span, bucket)
    yield tests(span, bucket)
    yield activity.active(span, bucket)


def tests(span: TimeRange, bucket: Bucket | None) -> AnySelect:
    """The number of tests, and of their different models: in all, or by bucket."""
    sums = combined(ROLLUP, span, activity.ALL, bucket)
    start = [sums.bucket(bucket)] if bucket else []
    names = [sums.key(name).label(name) for name in ("provider", "model")]
    by_model = select(*start, *names, sums.total("any_count")).group_by(*start, *names)
    models = by_model.having(sums.total("any_count") > 0).subquery("models")
    starts = [models.c.bucket] if bucket else []
    count = cast(func.coalesce(func.sum(models.c.any_count), 0), BigInteger).label("test_count")
    return select(*starts, count, func.count().label("model_count")).group_by(*starts)


async def _rows(session: ReadSession, statement: AnySelect) -> Sequence[ResultRow]:
    return await session.rows(of_kind(Kind.AGGREGATE, statement))


def _merged(figures: Figures, rows: Sequence[ResultRow]) -> Figures:
    for row in rows:
        figures = replace(figures, **row._asdict())
    return figures


async def funnel(session: ReadSession, span: TimeRange) -> ResultRow:
    [row] = await _rows(session, milestones.funnel(span))
    return row


async def active_users(session: ReadSession, span: TimeRange) -> dict[str, int]:
    """Users who were active in the last day, 7 days and 30 days of a time range."""
    end = min(span.until or span.now, span.now)
    ranges = {name: TimeRange(end - time, end, span.now) for name, time in ACTIVE.items()}
    return {
        name: (await _rows(session, activity.active(each)))[0].active_users
        for name, each in ranges.items()
    }


@dataclass(frozen=True, slots=True)
class Cohort:
    """The users who joined in one week: how many, and how many were active in each week since."""

    week: datetime
    users: int
    active_users: list[int]


async def retention(session: ReadSession, span: TimeRange) -> list[Cohort]:
    """The cohorts of the last weeks of a time range."""
    weeks = _last_weeks(span)
    within = replace(span, since=weeks[0])
    joined = {row.bucket: row.users for row in await _rows(session, activity.joined(within))}
    rows = await _rows(session, activity.retention(within))
    active = {(row.week, row.active_week): row.users for row in rows}
    return [
        Cohort(each, joined.get(each, 0), [active.get((each, later), 0) for later in weeks[index:]])
        for index, each in enumerate(weeks)
    ]


def _last_weeks(span: TimeRange) -> list[datetime]:
    """The starts of the last weeks of a time range, oldest first."""
    end = min(span.until or span.now, span.now)
    last = week(end - timedelta(microseconds=1))
    return [last - timedelta(weeks=ago) for ago in reversed(range(COHORTS))]
