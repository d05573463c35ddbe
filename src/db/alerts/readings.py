"""Readings: the present value of what an alert rule watches.

Spend, metrics and events are read from sums of closed periods, and from the rows of open ones.
"""

import operator
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import ColumnElement, func, select

from db.alerts import AlertComparison, AlertKind, AlertRule, MetricAggregate, WatchedFeed
from db.alerts.counting import agents_now, longest_wait
from db.alerts.spending import spent
from db.budgets import Month
from db.config import numbers
from db.core.query.time_range import TimeRange
from db.core.rollup import Pieces, combined
from db.core.session.database import ReadSession
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Expression
from db.core.timeouts import Kind, of_kind
from db.events import ROLLUP as EVENTS
from db.metrics.sums import ROLLUP as METRICS

EVERYTHING = Visibility(shared=True)
MOST_SUBJECTS = 1_000  # of one rule: those furthest beyond the threshold
Operand = Decimal | Expression
Compare = Callable[[Operand, Operand], ColumnElement[bool] | bool]
SIGNS: dict[str, tuple[Compare, str]] = {
    AlertComparison.GT: (operator.gt, ">"),
    AlertComparison.GTE: (operator.ge, "≥"),
    AlertComparison.LT: (operator.lt, "<"),
    AlertComparison.LTE: (operator.le, "≤"),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """The value of a subject, beyond the threshold."""

    subject: str
    user_id: UUID | None
    value: Decimal
    threshold: Decimal


@dataclass(frozen=True, slots=True)
class Readings:
    """The subjects beyond the threshold of a rule. With `is_whole`, no other one is."""

    beyond: Sequence[Reading]
    is_whole: bool = True


UNKNOWN = Readings((), is_whole=False)


async def read(session: ReadSession, rule: AlertRule) -> Readings:
    """What a rule reads now. The session has no row rules."""
    return await READERS[AlertKind(rule.kind)](session, rule)


def window(session: ReadSession, rule: AlertRule) -> TimeRange:
    now, minutes = session.now(), rule.window_minutes
    since = Month(now).start if minutes is None else now - timedelta(minutes=minutes)
    return TimeRange(since, None, now)


async def _spend(session: ReadSession, rule: AlertRule) -> Readings:
    budgets = await numbers.read_many(session, [numbers.USER_BUDGET, numbers.OVERALL_BUDGET])
    each = spent(rule, window(session, rule), budgets).subquery("spent")
    compare, sign = SIGNS[rule.comparison]
    beyond = cast("ColumnElement[bool]", compare(each.c.value, each.c.threshold))
    furthest = each.c.value.desc() if sign in ">≥" else each.c.value
    statement = select(each).where(beyond).order_by(furthest).limit(MOST_SUBJECTS)
    rows = await session.rows(of_kind(Kind.AGGREGATE, statement))
    return Readings([Reading(*row) for row in rows], is_whole=len(rows) < MOST_SUBJECTS)


async def _metric(session: ReadSession, rule: AlertRule) -> Readings:
    values = combined(METRICS, window(session, rule), EVERYTHING)
    value = AGGREGATES[MetricAggregate(rule.aggregate or "")](values)
    of_series = values.key("metric_name") == rule.metric_name
    return await _one(session, rule, select(value).where(of_series))


AGGREGATES: dict[MetricAggregate, Callable[[Pieces], Expression]] = {
    MetricAggregate.AVERAGE: lambda values: values.mean("total", "count"),
    MetricAggregate.MINIMUM: lambda values: values.total("minimum"),
    MetricAggregate.MAXIMUM: lambda values: values.total("maximum"),
    MetricAggregate.TOTAL: lambda values: func.coalesce(values.total("total"), 0),
    MetricAggregate.COUNT: lambda values: func.coalesce(values.total("count"), 0),
}


async def _events(session: ReadSession, rule: AlertRule) -> Readings:
    events = combined(EVENTS, window(session, rule), EVERYTHING)
    chosen = {"event_type": rule.event_type, "severity": rule.severity}
    among = [events.key(name) == value for name, value in chosen.items() if value is not None]
    count = func.coalesce(events.total("weight"), 0)
    return await _one(session, rule, select(count).where(*among))


async def _agents(session: ReadSession, rule: AlertRule) -> Readings:
    stale_after = timedelta(seconds=float(await numbers.read(session, numbers.STALE_AFTER)))
    return await _one(session, rule, agents_now(rule, session.now() - stale_after))


async def _feed_lag(session: ReadSession, rule: AlertRule) -> Readings:
    return await _one(session, rule, longest_wait(WatchedFeed(rule.feed or "")))


async def _one(session: ReadSession, rule: AlertRule, statement: AnySelect) -> Readings:
    """The readings of a rule with one value, unknown if that is null."""
    value = await session.scalar(of_kind(Kind.AGGREGATE, statement))
    if value is None or rule.threshold is None:
        return UNKNOWN
    compare, _ = SIGNS[rule.comparison]
    reading = Reading("", None, Decimal(value), rule.threshold)
    return Readings([reading] if compare(reading.value, reading.threshold) else [])


Read = Callable[[ReadSession, AlertRule], Awaitable[Readings]]
READERS: dict[AlertKind, Read] = {
    AlertKind.SPEND: _spend,
    AlertKind.METRIC: _metric,
    AlertKind.EVENTS: _events,
    AlertKind.AGENTS: _agents,
    AlertKind.FEED_LAG: _feed_lag,
}
