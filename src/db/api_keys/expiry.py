"""Expiry: users are notified of keys that expire soon, once of each key."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Executable, Uuid, any_, literal, update

from db.api_keys import ApiKey
from db.core.session.audit_context import AuditContext
from db.core.session.database import Database, WriteSession
from db.core.table import Row
from db.notifications import send_all

KEY_EXPIRES = "KEY_EXPIRES"
CONTEXT = AuditContext("notifyOfExpiry")
MOST = 1_000  # at once


async def notify(database: Database, ahead: timedelta) -> int:
    """Send notifications of keys that expire within `ahead`. Of several processes, each takes other
    keys. Returns how many. Raises as sessions do."""
    async with database.unrestricted().write(CONTEXT) as session:
        keys = await _due(session, ahead)
        if keys:
            await session.execute(_noted([key.id for key in keys], session.now()))
        await send_all(session, [_message(key) for key in keys])
    return len(keys)


async def _due(session: WriteSession, ahead: timedelta) -> Sequence[ApiKey]:
    """Valid keys, locked. Those that never lived longer than `ahead` are left out: it was
    chosen moments ago."""
    now = session.now()
    soon = ApiKey.expires_at > now, ApiKey.expires_at <= now + ahead
    is_new = ApiKey.revoked_at.is_(None), ApiKey.expiry_notified_at.is_(None)
    lived = ApiKey.created_at <= now - ahead
    due = ApiKey.select().where(*soon, *is_new, lived).order_by(ApiKey.id).limit(MOST)
    return await session.records(ApiKey, due.with_for_update(skip_locked=True))


def _noted(ids: Sequence[UUID], now: datetime) -> Executable:
    among = ApiKey.id == any_(literal(list(ids), ARRAY(Uuid)))
    return update(ApiKey).where(among).values(expiry_notified_at=now)


def _message(key: ApiKey) -> Row:
    at = key.expires_at
    return {
        "user_id": key.user_id,
        "kind": KEY_EXPIRES,
        "title": f"Your key “{key.service}” expires on {at:%Y-%m-%d}",
        "body": f"Rotate the key {key.prefix} before {at:%Y-%m-%d %H:%M} UTC.",
        "payload": {"keyPrefix": key.prefix, "expiresAt": f"{at:%Y-%m-%dT%H:%M:%S.%fZ}"},
    }
