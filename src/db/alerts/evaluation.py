"""Evaluation: due rules are read once a minute, and open and close alerts.

A due rule is evaluated in one transaction that locks its row and moves `next_evaluation_at` on to
the next minute. So each evaluation happens once, whichever process is first, and in whole or not at
all.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, Executable, func, select, update

from db import audit
from db.alerts import Alert, AlertRule, announcing
from db.alerts.announcing import Happened
from db.alerts.readings import SIGNS, Reading, Readings, read
from db.core.errors import Unavailable
from db.core.session.audit_context import AuditContext
from db.core.session.database import Database, ReadSession, WriteSession

EVERY = timedelta(minutes=1)
DUE = 100  # rules that are evaluated by one look
CONTEXT = AuditContext("evaluateAlertRule")

log = structlog.get_logger()


class Transition(NamedTuple):
    """The subjects whose alerts open, and those whose alerts close."""

    opening: Sequence[Reading]
    closing: Collection[str]


def transition(
    readings: Readings, still_open: Collection[str], cooling: Collection[str]
) -> Transition:
    beyond = {reading.subject for reading in readings.beyond}
    silent = {*still_open, *cooling}
    opening = [reading for reading in readings.beyond if reading.subject not in silent]
    return Transition(opening, set(still_open) - beyond if readings.is_whole else ())


async def run_due(database: Database) -> int:
    """Evaluate the rules that are due and that no other process evaluates. Returns the number of
    alerts opened and closed. A rule that fails is evaluated again a minute later. Raises
    Unavailable."""
    unrestricted, count = database.unrestricted(), 0
    due = select(AlertRule.id).where(*_is_due()).order_by(AlertRule.next_evaluation_at)
    async with unrestricted.read() as session:
        ids = [id for (id,) in await session.rows(due.limit(DUE))]
    for id in ids:
        count += await _run(unrestricted, id)
    return count


async def _run(database: Database, id: UUID) -> int:
    try:
        async with database.write(CONTEXT) as session:
            rule = await _locked(session, id)
            return 0 if rule is None else await evaluate(session, rule)
    except Unavailable:
        raise
    except Exception:
        log.exception("an alert rule could not be evaluated", rule_id=str(id))
        await _move_on_after_failure(database, id)
        return 0


async def evaluate(session: WriteSession, rule: AlertRule) -> int:
    """Open and close the alerts of a locked rule. Returns their number."""
    open_alerts = await _open_alerts(session, rule)
    cooling = await _cooling(session, rule)
    change = transition(await read(session, rule), open_alerts, cooling)
    opened = [await _open(session, rule, reading) for reading in change.opening]
    closed = [await _close(session, open_alerts[subject]) for subject in change.closing]
    await session.execute(_moved_on(rule.id, evaluated_at=session.now(), failed_at=None))
    news = [alert for alert in opened if alert is not None]
    await announcing.announce(session, rule, {Happened.OPENED: news, Happened.CLOSED: closed})
    return len(news) + len(closed)


async def close_all(session: WriteSession, rule: AlertRule) -> None:
    """Close the alerts of a rule that is deleted, or watches something else from now on."""
    open_alerts = (await _open_alerts(session, rule)).values()
    closed = [await _close(session, alert) for alert in open_alerts]
    await announcing.announce(session, rule, {Happened.CLOSED: closed})


async def _locked(session: WriteSession, id: UUID) -> AlertRule | None:
    """A due rule; None if another process has locked it, or has evaluated it."""
    mine = AlertRule.select().where(AlertRule.id == id, *_is_due())
    return await session.record(AlertRule, mine.with_for_update(skip_locked=True))


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return AlertRule.is_active.is_(True), AlertRule.next_evaluation_at <= func.now()


async def _open_alerts(session: ReadSession, rule: AlertRule) -> Mapping[str, Alert]:
    mine = Alert.select().where(Alert.rule_id == rule.id, Alert.closed_at.is_(None))
    return {alert.subject: alert for alert in await session.records(Alert, mine)}


async def _cooling(session: ReadSession, rule: AlertRule) -> Collection[str]:
    """The subjects whose last alert has closed within the cooldown."""
    since = session.now() - timedelta(minutes=rule.cooldown_minutes)
    closed = select(Alert.subject).where(Alert.rule_id == rule.id, Alert.closed_at > since)
    return {subject for (subject,) in await session.rows(closed)}


async def _open(session: WriteSession, rule: AlertRule, reading: Reading) -> Alert | None:
    """None if the subject has an open alert."""
    return await audit.create_if_absent(
        session,
        Alert,
        rule_id=rule.id,
        kind=rule.kind,
        subject=reading.subject,
        user_id=reading.user_id,
        title=title(rule, reading),
        value=reading.value,
        threshold=reading.threshold,
    )


async def _close(session: WriteSession, alert: Alert) -> Alert:
    return await audit.change(session, Alert, alert, closed_at=session.now())


def title(rule: AlertRule, reading: Reading) -> str:
    _, sign = SIGNS[rule.comparison]
    of = f" of {reading.subject}" if reading.subject and reading.user_id is None else ""
    return f"{rule.name}{of}: {shown(reading.value)} {sign} {shown(reading.threshold)}"


def shown(value: object) -> str:
    """A number with two decimals, or as it is if it has fewer."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


async def _move_on_after_failure(database: Database, id: UUID) -> None:
    async with database.write(CONTEXT) as session:
        await session.execute(_moved_on(id, failed_at=session.now()))


def _moved_on(id: UUID, **values: datetime | None) -> Executable:
    next_minute = func.date_trunc("minute", func.now()) + EVERY
    moved = update(AlertRule).where(AlertRule.id == id)
    return moved.values(next_evaluation_at=next_minute, **values)
