"""Writes: webhooks are created, changed and deleted, and their secrets rotated."""

from sqlalchemy import func, select

from db import audit
from db.core.errors import Conflict
from db.core.session.database import WriteSession
from db.webhooks import Webhook

MOST = 50
MANY = f"There are {MOST} webhooks; delete one first."


async def create(session: WriteSession, **values: object) -> Webhook:
    """Raises Invalid, and Conflict if there are too many."""
    Webhook.cleaned(values)
    if await session.scalar(select(func.count()).select_from(Webhook)) >= MOST:
        raise Conflict(MANY)
    return await audit.create(session, Webhook, created_by=session.audit_context.actor, **values)


async def rotate(session: WriteSession, webhook: Webhook) -> Webhook:
    """Give a locked webhook a new secret; the previous one signs for another day."""
    return await audit.change(
        session,
        Webhook,
        webhook,
        secret_version=webhook.secret_version + 1,
        rotated_at=session.now(),
    )
