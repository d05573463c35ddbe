"""Writes: keys are created, replaced and revoked, and marked as used."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, any_, func, literal, or_, select, update

from db import audit
from db.api_keys import ApiKey, is_valid
from db.audit.setting import set_all
from db.core.api_key_format import ApiKeyCodec
from db.core.errors import Conflict, Forbidden, Invalid, NotFound
from db.core.session.database import WriteSession
from db.core.table import AnySelect
from db.scopes import SCOPES, beyond
from db.users import Role, User, lowest

OVERLAP = timedelta(hours=24)
MAX_VALID = 100  # keys of one user that are neither revoked nor expired
EXPIRY = "expires_at"


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key: its record, and the text that is shown only once."""

    record: ApiKey
    text: str = field(repr=False)


async def create(
    session: WriteSession,
    api_key_codec: ApiKeyCodec,
    *,
    user_id: UUID,
    service: str,
    scopes: Collection[str] = (),
    expires_at: datetime | None = None,
    max_role: Role | None = None,
) -> NewKey:
    """Create a key. If it is created with another key, it expires no later than that key.

    Raises Invalid, NotFound for an unknown user, and Conflict for a disabled user or one with too
    many keys.
    """
    _check(service, scopes, expires_at, session.now())
    acting = await _acting(session)
    user = await _owner(session, user_id)
    _check_use(lowest(user.role, max_role), scopes)
    return await _make(
        session,
        api_key_codec,
        user_id=user_id,
        service=service,
        scopes=sorted(set(scopes)),
        expires_at=_within(acting, expires_at),
        max_role=max_role,
    )


async def rotate(
    session: WriteSession,
    api_key_codec: ApiKeyCodec,
    prefix: str,
    overlap: timedelta = OVERLAP,
    max_role: Role | None = None,
) -> NewKey:
    """Create a key to replace another, which stays valid for `overlap`, but not longer than before.

    The new key has the lifetime of the old one, from now, but expires no later than the key it is
    created with. Raises NotFound, and Conflict if the old key is no longer valid.
    """
    old, now = await _locked(session, prefix), session.now()
    if not is_valid(old, now):
        raise Conflict("This key is revoked or expired: create a new one.")
    acting = await _acting(session)
    life = now + (old.expires_at - old.created_at) if old.expires_at else None
    await audit.change(session, ApiKey, old, expires_at=earliest(old.expires_at, now + overlap))
    await _owner(session, old.user_id)
    return await _make(
        session,
        api_key_codec,
        user_id=old.user_id,
        service=old.service,
        scopes=old.scopes,
        expires_at=earliest(life, acting.expires_at if acting else None),
        max_role=lowest(old.max_role, max_role),
    )


async def revoke(session: WriteSession, prefix: str) -> ApiKey:
    """Revoke a key and all keys created with it, directly or not. Idempotent. Raises NotFound."""
    key = await _locked(session, prefix)
    await revoke_made_with(session, [key.id])
    return await audit.change(session, ApiKey, key, revoked_at=key.revoked_at or session.now())


async def revoke_made_with(session: WriteSession, makers: Sequence[UUID]) -> None:
    """Revoke all keys created with some keys, directly or not."""
    unrestricted, makers = session.unrestricted(), list(makers)
    made = await _made_with(unrestricted, makers)
    await revoke_all(unrestricted, made)


async def revoke_all(session: WriteSession, ids: Sequence[UUID]) -> None:
    among = ApiKey.id == any_(literal(list(ids), ARRAY(Uuid)))
    await set_all(session, ApiKey, ApiKey.revoked_at, None, session.now(), among)


async def touch(session: WriteSession, ids: Collection[UUID]) -> None:
    used = ApiKey.id == func.any(literal(list(ids), ARRAY(Uuid)))
    await session.execute(update(ApiKey).where(used).values(last_used_at=func.now()))


def earliest(*times: datetime | None) -> datetime | None:
    return min(filter(None, times), default=None)


async def _make(session: WriteSession, api_key_codec: ApiKeyCodec, **values: object) -> NewKey:
    credential = api_key_codec.new()
    stored = {"prefix": credential.prefix, "hashed_key": api_key_codec.hashed(credential)}
    made_with = {"created_by_key_id": session.audit_context.key_id}
    record = await audit.create(session, ApiKey, **values, **stored, **made_with)
    return NewKey(record, credential.text)


async def _made_with(session: WriteSession, makers: Sequence[UUID]) -> list[UUID]:
    found: list[UUID] = []
    while makers:
        among = ApiKey.created_by_key_id == any_(literal(list(makers), ARRAY(Uuid)))
        made = select(ApiKey.id).where(among).order_by(ApiKey.id).with_for_update()
        makers = [id for (id,) in await session.rows(made)]
        found += makers
    return found


async def _acting(session: WriteSession) -> ApiKey | None:
    """The key that authenticates this session, if any, locked, so that it cannot be revoked before
    the keys created with it are stored. Raises Forbidden if it is no longer valid."""
    if session.audit_context.key_id is None:
        return None
    acting = (
        ApiKey.select().where(ApiKey.id == session.audit_context.key_id).with_for_update(read=True)
    )
    key = await session.record(ApiKey, acting)
    if key is None or not is_valid(key, session.now()):
        raise Forbidden("The key that you sign in with is no longer valid.")
    return key


async def _owner(session: WriteSession, user_id: UUID) -> User:
    """The user of a new key, locked, so that two keys cannot both be the last allowed. Raises
    NotFound and Conflict."""
    statement = User.select().where(User.id == user_id).with_for_update(key_share=True)
    user = await session.record(User, statement)
    if user is None:
        raise NotFound("There is no such user.")
    if user.disabled_at:
        raise Conflict("This user is disabled.")
    if await session.scalar(_valid_count(user_id, session.now())) >= MAX_VALID:
        raise Conflict(f"This user has {MAX_VALID} valid keys, the most allowed: revoke one first.")
    return user


def _valid_count(user_id: UUID, now: datetime) -> AnySelect:
    unexpired = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)
    valid = (ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None), unexpired)
    return select(func.count()).select_from(ApiKey).where(*valid)


def _within(acting: ApiKey | None, expires_at: datetime | None) -> datetime | None:
    """The expiry of a key created with `acting`. Raises Invalid if later than that key's."""
    last = acting.expires_at if acting else None
    if last and expires_at and expires_at > last:
        latest = f"{last:%Y-%m-%d %H:%M} UTC"
        message = f"A key created with a key cannot expire later than that one, {latest}."
        raise Invalid(message, EXPIRY)
    return expires_at or last


def _check(
    service: str, scopes: Collection[str], expires_at: datetime | None, now: datetime
) -> None:
    ApiKey.cleaned({"service": service, "scopes": scopes})
    if expires_at and expires_at <= now:
        raise Invalid("The expiry must be in the future.", EXPIRY)


def _check_use(role: Role | None, scopes: Collection[str]) -> None:
    """Raises Invalid for scopes that have no effect for the role."""
    if role and (useless := beyond(role, scopes)):
        needed = SCOPES[useless[0]].role
        message = (
            f"The scope {useless[0]} requires the role {needed}; this key would act as {role}."
        )
        raise Invalid(message, "scopes")


async def _locked(session: WriteSession, prefix: str) -> ApiKey:
    statement = ApiKey.select().where(ApiKey.prefix == prefix).with_for_update()
    if (key := await session.record(ApiKey, statement)) is None:
        raise NotFound("There is no key with this id.")
    return key
