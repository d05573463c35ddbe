"""Announcing: notifications, messages to webhooks and events about changes of alerts."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

from sqlalchemy import select

from db import events
from db.alerts import Alert, AlertRule
from db.core.session.database import WriteSession
from db.core.table import Row
from db.notifications import others, send_all, to
from db.users import Role, User
from db.webhooks import outbox

ALERT_MANAGER = "alert-manager"  # the source of the events


class Happened(StrEnum):
    """What happened to an alert; its event type."""

    OPENED = "alert_opened"
    CLOSED = "alert_closed"
    ACKNOWLEDGED = "alert_acknowledged"


async def announce(
    session: WriteSession, rule: AlertRule | None, news: Mapping[Happened, Sequence[Alert]]
) -> None:
    """Tell users of changes of alerts of one rule, in the transaction that makes them; the rule may
    have been deleted. Events come last: others wait for the transaction from then on."""
    each = [(happened, alert) for happened, alerts in news.items() for alert in alerts]
    unrestricted = session.unrestricted()
    if rule is not None and rule.notifies:
        for happened, alert in each:
            await _notify(unrestricted, rule, happened, alert)
    if rule is not None and rule.webhook_id is not None:
        for happened, alert in each:
            await outbox.send(unrestricted, rule.webhook_id, alert.id, happened, facts(alert))
    for happened, alert in each:
        await events.emit(unrestricted, happened, ALERT_MANAGER, facts(alert))


def facts(alert: Alert) -> Row:
    """The facts of an alert, for programs. Its IDs are keys of rows."""
    return {
        "alertId": str(alert.id),
        "ruleId": None if alert.rule_id is None else str(alert.rule_id),
        "userId": None if alert.user_id is None else str(alert.user_id),
        "kind": alert.kind,
        "subject": alert.subject,
        "title": alert.title,
        "value": f"{alert.value:f}",
        "threshold": f"{alert.threshold:f}",
    }


async def _notify(session: WriteSession, rule: AlertRule, happened: Happened, alert: Alert) -> None:
    message = {"kind": happened.upper(), "title": alert.title, "payload": facts(alert)}
    await send_all(session, to(await _recipients(session, rule, alert), message))


async def _recipients(session: WriteSession, rule: AlertRule, alert: Alert) -> Sequence[UUID]:
    """The user that the alert is about, and the creator of its rule; if there are none,
    administrators. Not the user who caused the change."""
    concerned: set[UUID | None] = {alert.user_id, rule.created_by} - {None}
    if not concerned:
        admins = select(User.id).where(User.role == Role.ADMIN, User.disabled_at.is_(None))
        concerned = {id for (id,) in await session.rows(admins)}
    return others(session, *concerned)
