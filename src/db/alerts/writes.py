"""Writes: alert rules are created, changed and deleted, and alerts acknowledged."""

from collections.abc import Iterator, Mapping

from sqlalchemy import func, select

from db import audit
from db.alerts import Alert, AlertKind, AlertRule, SpendOf
from db.alerts.announcing import Happened, announce
from db.alerts.evaluation import close_all
from db.core.errors import Conflict, FieldError, Forbidden
from db.core.session.database import WriteSession
from db.core.table import Row
from db.core.values.validation import raise_if_invalid

MOST_RULES = 200
WATCH = (
    *("kind", "spend_of", "user_id", "provider", "metric_name", "aggregate"),
    *("event_type", "severity", "agents", "feed"),
)
WINDOWLESS = (AlertKind.AGENTS, AlertKind.FEED_LAG)
MANY = f"There are {MOST_RULES} rules; delete one first."
BUILTIN = "This rule came with the gateway. Set `isActive` to false instead."
BUILTIN_WATCH = "The watch of this rule cannot be changed: it came with the gateway."


def watched(**columns: object) -> Row:
    """The columns of what a rule watches; those that its kind does not use are null."""
    return dict.fromkeys(WATCH) | columns


async def create(session: WriteSession, **values: object) -> AlertRule:
    """Store a rule, which is due at once. Raises Invalid, NotFound for an unknown user."""
    check(values)
    if await session.scalar(select(func.count()).select_from(AlertRule)) >= MOST_RULES:
        raise Conflict(MANY)
    of = {"created_by": session.audit_context.actor, "next_evaluation_at": session.now()}
    return await audit.create(session, AlertRule, **of, **values)


async def change(session: WriteSession, rule: AlertRule, **values: object) -> AlertRule:
    """Change a locked rule, which is then due. Its alerts close if it is paused, or watches
    something else. Raises as `create`, and Forbidden for the watch of a built-in rule."""
    after = {name: values.get(name, getattr(rule, name)) for name in AlertRule.Record._fields}
    check(after)
    is_moved = any(after[name] != getattr(rule, name) for name in WATCH)
    if is_moved and rule.builtin is not None:
        raise Forbidden(BUILTIN_WATCH)
    if is_moved or not after["is_active"]:
        await close_all(session, rule)
    due = session.now()
    return await audit.change(session, AlertRule, rule, **values, next_evaluation_at=due)


async def remove(session: WriteSession, rule: AlertRule) -> None:
    """Delete a locked rule, and close its alerts. Raises Forbidden for a built-in one."""
    if rule.builtin is not None:
        raise Forbidden(BUILTIN)
    await close_all(session, rule)
    await audit.remove(session, AlertRule, rule)


async def acknowledge(session: WriteSession, alert: Alert) -> Alert:
    """Acknowledge a locked alert, unless it is already."""
    if alert.acknowledged_at is not None:
        return alert
    by = {"acknowledged_at": session.now(), "acknowledged_by": session.audit_context.actor}
    acknowledged = await audit.change(session, Alert, alert, **by)
    rule = AlertRule.select().where(AlertRule.id == alert.rule_id)
    of = await session.unrestricted().record(AlertRule, rule)
    await announce(session, of, {Happened.ACKNOWLEDGED: [acknowledged]})
    return acknowledged


def check(values: Mapping[str, object]) -> None:
    """Raises Invalid for columns that do not go together."""
    AlertRule.cleaned(values)
    raise_if_invalid(_faults(values))


def _faults(values: Mapping[str, object]) -> Iterator[FieldError]:
    kind, minutes = values["kind"], values.get("window_minutes")
    if kind in WINDOWLESS and minutes is not None:
        yield FieldError("Agents and feeds are read as they are now; omit this.", "window_minutes")
    if kind in (AlertKind.METRIC, AlertKind.EVENTS) and minutes is None:
        yield FieldError("Give the minutes to look back.", "window_minutes")
    if values.get("threshold") is None:
        yield from _faults_of_budget(values)
    of = values.get("spend_of")
    if values.get("user_id") is not None and of != SpendOf.USER:
        yield FieldError("A user is given for spend of USER only.", "watch")
    if values.get("provider") is not None and of != SpendOf.PROVIDER:
        yield FieldError("A provider is given for spend of PROVIDER only.", "watch")


def _faults_of_budget(values: Mapping[str, object]) -> Iterator[FieldError]:
    """A threshold is omitted for a budget, which is of a calendar month."""
    has_budget = values.get("spend_of") in (SpendOf.ALL, SpendOf.USER)
    if not has_budget or values.get("window_minutes") is not None:
        message = "Give a threshold: only the spend of a user, or of all, in a month has a budget."
        yield FieldError(message, "threshold")
