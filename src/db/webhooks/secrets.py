"""Secrets: the signing secrets of webhooks, derived from the pepper of the deployment.

Nothing that could sign is in the database. Changing the pepper changes all secrets, as it
invalidates all API keys.
"""

import base64
import hmac
from datetime import datetime, timedelta
from hashlib import sha256

from db.webhooks import Webhook

PREFIX = "whsec_"  # Standard Webhooks, "Signature scheme"
OVERLAP = timedelta(hours=24)  # for which messages are signed with the previous secret, too


def secret(pepper: bytes, webhook: Webhook, version: int | None = None) -> str:
    """The secret of a webhook in a version, the present one by default."""
    number = webhook.secret_version if version is None else version
    purpose = f"webhook {webhook.id} {number}".encode()
    return PREFIX + base64.b64encode(hmac.new(pepper, purpose, sha256).digest()).decode()


def signing_secrets(pepper: bytes, webhook: Webhook, now: datetime) -> list[str]:
    """The secrets to sign a message with, the present one first."""
    is_recent = webhook.rotated_at is not None and now - webhook.rotated_at < OVERLAP
    previous = [secret(pepper, webhook, webhook.secret_version - 1)] if is_recent else []
    return [secret(pepper, webhook), *previous]
