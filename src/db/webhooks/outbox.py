"""Outbox: messages to webhooks, stored with their cause, and the results of attempts."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Executable, insert, update

from db.core import jobs
from db.core.ids import uuid7
from db.core.ingest.statements import core_table
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.table import Row
from db.webhooks import Webhook, WebhookDelivery

QUEUE = "webhooks"
TASK = "deliver_webhook"
MAX_ERROR = 500


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that is still to be delivered."""

    webhook: Webhook
    delivery: WebhookDelivery


async def send(
    session: WriteSession, webhook_id: UUID, alert_id: UUID, event_type: str, data: Row
) -> None:
    """Store a message and its job. The session has no row rules."""
    now = session.now()
    id = uuid7(now)
    payload = {"type": event_type, "timestamp": f"{now:%Y-%m-%dT%H:%M:%S.%fZ}", "data": data}
    row = {"id": id, "webhook_id": webhook_id, "alert_id": alert_id, "event_type": event_type}
    message = {**row, "payload": payload, "created_at": now}
    await session.execute(insert(core_table(WebhookDelivery)).values(message))
    await jobs.defer(session, QUEUE, TASK, delivery_id=str(id))


async def outgoing(session: ReadSession, id: UUID) -> Outgoing | None:
    """A message with its webhook; None if it was delivered, or its webhook is deleted or paused."""
    mine = WebhookDelivery.select().where(WebhookDelivery.id == id)
    delivery = await session.record(WebhookDelivery, mine)
    if delivery is None or delivery.delivered_at is not None:
        return None
    of = Webhook.select().where(Webhook.id == delivery.webhook_id, Webhook.is_active)
    webhook = await session.record(Webhook, of)
    return None if webhook is None else Outgoing(webhook, delivery)


async def note_success(database: Database, id: UUID) -> None:
    """Record that a message was delivered, once."""
    async with database.unrestricted().write() as session:
        values = {"delivered_at": session.now(), "last_error": None}
        await session.execute(_attempted(id, **values))


async def note_failure(database: Database, id: UUID, error: str, is_last: bool) -> None:
    async with database.unrestricted().write() as session:
        failed_at = session.now() if is_last else None
        values = {"last_error": error[:MAX_ERROR], "failed_at": failed_at}
        await session.execute(_attempted(id, **values))


def _attempted(id: UUID, **values: object) -> Executable:
    attempts = WebhookDelivery.attempts + 1
    undelivered = WebhookDelivery.id == id, WebhookDelivery.delivered_at.is_(None)
    return update(WebhookDelivery).where(*undelivered).values(attempts=attempts, **values)
