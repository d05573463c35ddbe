"""Preview: the alerts that a rule would have opened in the past."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import cast
from uuid import UUID

from db.alerts import AlertRule, minutes
from db.alerts.evaluation import EVERY, title
from db.alerts.minutes import Series
from db.alerts.readings import SIGNS, Reading
from db.alerts.sliding import WINDOWS, Value, values
from db.alerts.writes import check
from db.core.query.time_range import TimeRange
from db.core.session.database import ReadSession

MOST_ALERTS = 1_000
LONGEST = timedelta(days=31)
LAST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PastAlert:
    """An alert that would have opened; `closed_at` is None if it would still be open at the end."""

    title: str
    reading: Reading
    opened_at: datetime
    closed_at: datetime | None = None

    @property
    def subject(self) -> str | None:
        is_named = self.reading.user_id is None and self.reading.subject != ""
        return self.reading.subject if is_named else None

    @property
    def user_id(self) -> UUID | None:
        return self.reading.user_id

    @property
    def value(self) -> Decimal:
        return self.reading.value

    @property
    def threshold(self) -> Decimal:
        return self.reading.threshold


@dataclass(frozen=True, slots=True)
class Preview:
    """The alerts of a rule in a time range."""

    window: TimeRange
    alerts: list[PastAlert]


def draft(**columns: object) -> AlertRule:
    """A rule that is not stored, from the columns of one. Raises Invalid."""
    check(columns)
    absent = dict.fromkeys(AlertRule.Record._fields) | {"cooldown_minutes": 0}
    return cast("AlertRule", AlertRule.Record(**{**absent, **columns}))


async def preview(session: ReadSession, rule: AlertRule, span: TimeRange) -> Preview:
    """Evaluate a rule at each minute of a time range. The session has no row rules. Raises
    Invalid."""
    span.check_longest(LONGEST)
    series = await minutes.read(session, rule, span)
    alerts = await asyncio.to_thread(_alerts, rule, series, span)
    return Preview(span, alerts[:MOST_ALERTS])


def _alerts(rule: AlertRule, series: list[Series], span: TimeRange) -> list[PastAlert]:
    """Those of all series, oldest first."""
    found = [alert for each in series for alert in _of_series(rule, each, span)]
    return sorted(found, key=lambda alert: (alert.opened_at, alert.reading.subject))


def _of_series(rule: AlertRule, series: Series, span: TimeRange) -> Iterator[PastAlert]:
    start, end = _first(span), (span.until or span.now).replace(second=0, microsecond=0)
    free, cooldown = start, rule.cooldown_minutes * EVERY
    still_open: PastAlert | None = None
    found = values(series.parts, WINDOWS[rule.aggregate](), start, end)
    for now, following in pairwise([*found, Value(end + EVERY, None, 0)]):
        reading = _reading(rule, series, now)
        opening = max(now.at, free)
        if reading is None and _is_known(series, now) and still_open is not None:
            yield replace(still_open, closed_at=now.at)
            still_open, free = None, now.at + cooldown
        elif reading is not None and still_open is None and opening < following.at:
            still_open = PastAlert(title(rule, reading), reading, opening)
    if still_open is not None:
        yield still_open


def _first(span: TimeRange) -> datetime:
    """The first whole minute of a range."""
    since = span.since or span.now - LAST
    whole = since.replace(second=0, microsecond=0)
    return whole if whole == since else whole + EVERY


def _reading(rule: AlertRule, series: Series, now: Value) -> Reading | None:
    """None within the threshold, or without a value."""
    if now.value is None or not (now.parts or series.is_always):
        return None
    compare, _ = SIGNS[rule.comparison]
    is_beyond = compare(now.value, series.threshold)
    return (
        Reading(series.subject, series.user_id, now.value, series.threshold) if is_beyond else None
    )


def _is_known(series: Series, now: Value) -> bool:
    """False if an alert stays as it is."""
    return now.value is not None or not series.is_always
