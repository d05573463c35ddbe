"""Webhooks: addresses that messages about alerts are sent to, and the messages."""

from graph.webhooks.inputs import (
    WebhookDeliveryFilter as WebhookDeliveryFilter,
    WebhookDeliveryOrder as WebhookDeliveryOrder,
    WebhookFilter as WebhookFilter,
    WebhookOrder as WebhookOrder,
)
from graph.webhooks.operations import Mutations as Mutations, Queries as Queries
from graph.webhooks.types import Webhook as Webhook, WebhookDelivery as WebhookDelivery
