"""Webhooks: addresses that messages about alerts are sent to, and the messages."""

from dataclasses import replace
from datetime import datetime
from urllib.parse import SplitResult, urlsplit
from uuid import UUID

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.listing import ListSpec, columns_by_name
from db.core.table import CreatedAt, Id, Json, Table, UpdatedAt, checked
from db.core.values import validation

MAX_URL = 2_000  # characters
HTTPS_ONLY = "This must be an https URL with a host name and without user, password and fragment."
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def _wrong_url(url: str) -> str | None:
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        return HTTPS_ONLY
    try:
        parts = urlsplit(url)
        return None if _is_acceptable(parts) and parts.port != 0 else HTTPS_ONLY
    except ValueError:
        return HTTPS_ONLY


def _is_acceptable(parts: SplitResult) -> bool:
    is_bare = not (parts.username or parts.password or parts.fragment) and "@" not in parts.netloc
    is_secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    return bool(parts.hostname) and is_bare and is_secure


URL = replace(validation.single("An https URL.", _wrong_url), most=MAX_URL)


class Webhook(Table):
    """An address to send messages to. Its secret is not stored: it is made of the pepper, the ID
    and `secret_version`. After a rotation, messages are signed with the previous one, too."""

    __tablename__ = "webhooks"

    id: Mapped[Id]
    name: Mapped[str] = checked(validation.string(100, blank=False))
    url: Mapped[str] = checked(URL)
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    secret_version: Mapped[int] = mapped_column(server_default=text("1"))
    rotated_at: Mapped[datetime | None]
    created_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class WebhookDelivery(Table):
    """One message to one webhook, stored in the transaction of its cause. Its ID identifies it for
    the receiver, in each attempt. `failed_at` is set when there will be no more."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        Index(None, "webhook_id", "id"),
        Index(None, "alert_id", "id"),
    )

    id: Mapped[Id]
    webhook_id: Mapped[UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    alert_id: Mapped[UUID | None] = mapped_column(ForeignKey("alerts.id", ondelete="SET NULL"))
    event_type: Mapped[str] = checked(validation.string())
    payload: Mapped[Json]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    last_error: Mapped[str | None] = checked(validation.string(500))
    delivered_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]


WEBHOOKS = ListSpec(
    Webhook,
    grows=False,
    filters=columns_by_name(Webhook.name, Webhook.is_active, Webhook.created_at),
    orders={"CREATED_AT": Webhook.id, "NAME": Webhook.name},
    most=200,
)
DELIVERIES = ListSpec(
    WebhookDelivery,
    filters=columns_by_name(
        WebhookDelivery.webhook_id,
        WebhookDelivery.event_type,
        WebhookDelivery.delivered_at,
        WebhookDelivery.failed_at,
        WebhookDelivery.created_at,
    ),
    orders={"CREATED_AT": WebhookDelivery.id},
)
