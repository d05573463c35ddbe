"""Webhooks: messages about alerts are signed and sent, and sent again until they are accepted."""

from gateway.webhooks.delivery import Deliverer as Deliverer
