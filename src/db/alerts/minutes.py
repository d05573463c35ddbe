"""Minutes: the rows that a rule would have counted in the past, minute by minute.

Rules are evaluated at whole minutes, so that the rows of one minute enter a window together, and
leave it together. One statement reads all of them, whatever the number of evaluations.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select

from db.alerts import AlertKind, AlertRule, MetricAggregate, SpendOf
from db.alerts.counting import reports_between
from db.alerts.readings import EVERYTHING
from db.alerts.spending import spent
from db.budgets import Month
from db.config import numbers
from db.core.errors import Invalid
from db.core.query.time_range import Bucket, TimeRange
from db.core.rollup import Pieces, combined
from db.core.session.database import ReadSession, ResultRow
from db.core.table import AnySelect, Expression
from db.core.timeouts import Kind, of_kind
from db.events import ROLLUP as EVENTS
from db.metrics.sums import ROLLUP as METRICS

MINUTE = timedelta(minutes=1)
FOREVER = timedelta(days=36_500)
MOST_PARTS = 100_000
TOO_MANY = f"More than {MOST_PARTS:,} minutes with values; use a shorter time range."
NO_HISTORY = "The lag of a feed is not stored, so its rule cannot be previewed."


@dataclass(frozen=True, slots=True)
class Part:
    """What counts for the evaluations from `enters` on, and before `leaves`. `count` is the number
    of values for a mean."""

    enters: datetime
    leaves: datetime
    value: Decimal
    count: int = 1


@dataclass(frozen=True, slots=True)
class Series:
    """The parts of one subject. With `is_always`, it has a value without parts, too."""

    subject: str
    user_id: UUID | None
    threshold: Decimal
    is_always: bool
    parts: list[Part] = field(default_factory=list)


async def read(session: ReadSession, rule: AlertRule, span: TimeRange) -> list[Series]:
    """The series of a rule that counted at some time within a range; budgets are the present ones.
    The session has no row rules. Raises Invalid."""
    return await READERS[AlertKind(rule.kind)](session, rule, span)


async def _spend(session: ReadSession, rule: AlertRule, span: TimeRange) -> list[Series]:
    budgets = await numbers.read_many(session, [numbers.USER_BUDGET, numbers.OVERALL_BUDGET])
    rows = await _rows(session, spent(rule, _needed(rule, span), budgets, Bucket.MINUTE))
    is_single = (
        rule.spend_of == SpendOf.ALL or rule.user_id is not None or rule.provider is not None
    )
    series: dict[str, Series] = {}
    if is_single and rule.user_id is None:
        threshold = budgets[numbers.OVERALL_BUDGET] if rule.threshold is None else rule.threshold
        series[""] = Series("", None, threshold, True)
    for subject, user_id, value, threshold, minute in rows:
        of = series.setdefault(subject, Series(subject, user_id, threshold, is_single))
        of.parts.extend(_of_minute(rule, minute, value))
    return list(series.values())


async def _metric(session: ReadSession, rule: AlertRule, span: TimeRange) -> list[Series]:
    values = combined(METRICS, _needed(rule, span), EVERYTHING, Bucket.MINUTE)
    measure = MEASURES[MetricAggregate(rule.aggregate or "")]
    minutes = _by_minute(values, values.total(measure), values.total("count"))
    of_series = values.key("metric_name") == rule.metric_name
    return _one(rule, await _rows(session, minutes.where(of_series)))


MEASURES = {
    MetricAggregate.AVERAGE: "total",
    MetricAggregate.MINIMUM: "minimum",
    MetricAggregate.MAXIMUM: "maximum",
    MetricAggregate.TOTAL: "total",
    MetricAggregate.COUNT: "count",
}


async def _events(session: ReadSession, rule: AlertRule, span: TimeRange) -> list[Series]:
    events = combined(EVENTS, _needed(rule, span), EVERYTHING, Bucket.MINUTE)
    chosen = {"event_type": rule.event_type, "severity": rule.severity}
    among = [events.key(name) == value for name, value in chosen.items() if value is not None]
    minutes = _by_minute(events, events.total("weight"))
    return _one(rule, await _rows(session, minutes.where(*among)))


async def _agents(session: ReadSession, rule: AlertRule, span: TimeRange) -> list[Series]:
    stale_after = timedelta(seconds=float(await numbers.read(session, numbers.STALE_AFTER)))
    since, until = _ends(span)
    rows = await _rows(session, reports_between(rule, since, until, stale_after))
    parts = [
        Part(_after(begin), until + FOREVER if end is None else _after(end), Decimal(1))
        for begin, end in rows
    ]
    return [Series("", None, _threshold(rule), True, [p for p in parts if p.leaves > p.enters])]


async def _feed_lag(_session: ReadSession, _rule: AlertRule, _span: TimeRange) -> list[Series]:
    raise Invalid(NO_HISTORY, "watch")


Read = Callable[[ReadSession, AlertRule, TimeRange], Awaitable[list[Series]]]
READERS: dict[AlertKind, Read] = {
    AlertKind.SPEND: _spend,
    AlertKind.METRIC: _metric,
    AlertKind.EVENTS: _events,
    AlertKind.AGENTS: _agents,
    AlertKind.FEED_LAG: _feed_lag,
}


async def _rows(session: ReadSession, statement: AnySelect) -> Sequence[ResultRow]:
    """Raises Invalid for too many."""
    rows = await session.rows(of_kind(Kind.AGGREGATE, statement.limit(MOST_PARTS + 1)))
    if len(rows) > MOST_PARTS:
        raise Invalid(TOO_MANY, "from")
    return rows


def _by_minute(values: Pieces, *measures: Expression) -> AnySelect:
    minute = values.bucket(Bucket.MINUTE)
    return select(minute, *measures).group_by(minute)


def _one(rule: AlertRule, rows: Sequence[ResultRow]) -> list[Series]:
    parts = [part for row in rows for part in _of_minute(rule, *row)]
    return [Series("", None, _threshold(rule), True, parts)]


def _of_minute(
    rule: AlertRule, minute: datetime | None, value: Decimal, count: int = 1
) -> Iterator[Part]:
    """Nothing for a user without tests, and for the last minute of a month, which no evaluation
    within that month counts."""
    if minute is None:
        return
    enters = minute + MINUTE
    window = rule.window_minutes
    leaves = Month(minute).end if window is None else enters + window * MINUTE
    if leaves > enters:
        yield Part(enters, leaves, Decimal(value), count)


def _needed(rule: AlertRule, span: TimeRange) -> TimeRange:
    """The rows that the evaluations within a range count."""
    since, until = _ends(span)
    window = rule.window_minutes
    first = Month(since).start if window is None else since - window * MINUTE
    return TimeRange(first, until, span.now)


def _ends(span: TimeRange) -> tuple[datetime, datetime]:
    return span.since or span.now, span.until or span.now


def _after(time: datetime) -> datetime:
    """The first whole minute after a time: an evaluation at a time does not count its rows."""
    return time.replace(second=0, microsecond=0) + MINUTE


def _threshold(rule: AlertRule) -> Decimal:
    assert rule.threshold is not None  # noqa: S101  only that of spend may be
    return rule.threshold
