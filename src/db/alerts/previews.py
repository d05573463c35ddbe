"""Preview: the alerts that a rule would have opened in the past."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

from db.alerts import AlertRule
from db.alerts.evaluation import EVERY as EVERY, title, transition
from db.alerts.readings import Reading, Readings, read
from db.alerts.writes import check
from db.core.query.time_range import TimeRange
from db.core.session.database import ReadSession

MOST_EVALUATIONS = 25
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
    """The alerts of a rule in a time range, of which it was read every `step`."""

    window: TimeRange
    step: timedelta
    alerts: list[PastAlert]


def draft(**values: object) -> AlertRule:
    """A rule that is not stored, from the columns of one. Raises Invalid."""
    check(values)
    absent = dict.fromkeys(AlertRule.Record._fields) | {"cooldown_minutes": 0}
    return cast("AlertRule", AlertRule.Record(**{**absent, **values}))


async def preview(session: ReadSession, rule: AlertRule, span: TimeRange) -> Preview:
    """Evaluate a rule at times of the past. The session has no row rules. Raises Invalid."""
    span.check_longest(LONGEST)
    step, past = step_of(span), _Past(rule)
    for at in _times(span, step):
        past.evaluate(await read(session, rule, at), at)
    return Preview(span, step, past.alerts[:MOST_ALERTS])


def step_of(span: TimeRange) -> timedelta:
    """Whole minutes between evaluations, as few as there may be."""
    minutes = -(-(span.length // EVERY) // (MOST_EVALUATIONS - 1))
    return max(minutes, 1) * EVERY


def _times(span: TimeRange, step: timedelta) -> Iterator[datetime]:
    at, end = span.since or span.now - LAST, span.until or span.now
    while at <= end:
        yield at
        at += step


class _Past:
    """The alerts of a rule so far, oldest first."""

    def __init__(self, rule: AlertRule) -> None:
        self.rule = rule
        self.cooldown = timedelta(minutes=rule.cooldown_minutes)
        self.alerts: list[PastAlert] = []

    def evaluate(self, readings: Readings, at: datetime) -> None:
        cooling = {
            alert.reading.subject
            for alert in self.alerts
            if alert.closed_at is not None and alert.closed_at > at - self.cooldown
        }
        still_open = {alert.reading.subject for alert in self.alerts if alert.closed_at is None}
        change = transition(readings, still_open, cooling)
        self.alerts = [
            replace(alert, closed_at=at) if self._closes(alert, change.closing) else alert
            for alert in self.alerts
        ]
        self.alerts += [PastAlert(title(self.rule, each), each, at) for each in change.opening]

    def _closes(self, alert: PastAlert, closing: Collection[str]) -> bool:
        return alert.closed_at is None and alert.reading.subject in closing
