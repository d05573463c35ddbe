"""Inputs: filters and orders of webhooks and deliveries, and the arguments of mutations on them."""

import strawberry
from strawberry import UNSET, Maybe

import db
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import idempotency_key, input_type
from graph.core.types.node import key_of

WEBHOOK = key_of(db.webhooks.Webhook)


@filters(db.webhooks.WEBHOOKS)
class WebhookFilter:
    """Filter conditions on webhooks. All given conditions must hold."""


@orders(db.webhooks.WEBHOOKS)
class WebhookOrder:
    """Sort order for webhooks."""


@filters(db.webhooks.DELIVERIES)
class WebhookDeliveryFilter:
    """Filter conditions on deliveries. All given conditions must hold."""


@orders(db.webhooks.DELIVERIES)
class WebhookDeliveryOrder:
    """Sort order for deliveries."""


@checked(db.webhooks.Webhook)
@input_type
class CreateWebhookInput:
    """The input fields to create a webhook."""

    name: str = field("Name of the webhook.")
    url: str = field("The URL to send messages to. It must be https, and of a public address.")
    idempotency_key: str | None = idempotency_key()


@checked(db.webhooks.Webhook)
@input_type
class UpdateWebhookInput:
    """The input fields to change a webhook. Omitted fields keep their values."""

    id: strawberry.ID = field("ID of the webhook.", check=WEBHOOK)
    name: Maybe[str] = field("Name of the webhook.")
    url: Maybe[str] = field("The URL to send messages to.")
    is_active: Maybe[bool] = field("Whether messages are sent.")
    expected_version: int | None = field("Version that the webhook must have.", default=UNSET)


@input_type
class RotateWebhookSecretInput:
    """The input fields to rotate the secret of a webhook."""

    id: strawberry.ID = field("ID of the webhook.", check=WEBHOOK)
    expected_version: int | None = field("Version that the webhook must have.", default=UNSET)


@input_type
class DeleteWebhookInput:
    """The input fields to delete a webhook."""

    id: strawberry.ID = field("ID of the webhook.", check=WEBHOOK)
    expected_version: int | None = field("Version that the webhook must have.", default=UNSET)
