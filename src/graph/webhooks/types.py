"""Types: webhooks, and the messages to them."""

from datetime import datetime

from strawberry.scalars import JSON

import db
from graph.alerts.types import READ, READ_OR_WRITE, WebhookById
from graph.core.types.field import field, related
from graph.core.types.node import Node, node
from graph.users import User, UserById


@node(db.webhooks.Webhook, access=READ_OR_WRITE)
class Webhook(Node):
    """An address that messages about alerts are sent to, signed as the specification Standard
    Webhooks says. The secret is not stored: it is shown when it is made."""

    name: str = field("Name of the webhook.")
    url: str = field("The URL that messages are sent to.")
    is_active: bool = field("Whether messages are sent. Those of a paused webhook are dropped.")
    rotated_at: datetime | None = field(
        "When the secret was last rotated. For 24 hours messages are also signed with the previous "
        "one. Null if never."
    )
    version: int = field(
        "Version of the webhook, for `expectedVersion`. Incremented by each change."
    )
    created_at: datetime = field("When the webhook was created.")
    updated_at: datetime = field("When the webhook was last changed.")
    created_by: User | None = related(
        UserById, "created_by", description="The user who created the webhook."
    )


@node(db.webhooks.WebhookDelivery, access=READ)
class WebhookDelivery(Node):
    """A message to a webhook. It is sent again, with the same `webhook-id`, until it is accepted,
    for almost two days."""

    event_type: str = field(
        "What happened: `alert_opened`, `alert_closed` or `alert_acknowledged`."
    )
    payload: JSON = field(
        "The message as it is sent: its IDs are keys of rows.",
    )
    attempts: int = field("Number of attempts to deliver it.")
    last_error: str | None = field("Why the last attempt failed. Null if it did not.")
    delivered_at: datetime | None = field("When the receiver accepted it. Null if it has not.")
    failed_at: datetime | None = field("When the last of all attempts failed. Null before.")
    created_at: datetime = field("When the message was stored.")
    webhook: Webhook = related(WebhookById, "webhook_id", description="The webhook.")
