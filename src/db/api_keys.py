"""API keys: what services sign in with; only a keyed hash of the secret is stored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    ForeignKey,
    Select,
    Text,
    Uuid,
    any_,
    func,
    literal,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.core.api_key_format import ApiKeyCodec
from db.core.errors import Conflict, Forbidden, Invalid, NotFound
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import ReadSession, WriteSession
from db.core.session.row_rules import Visibility, owned_by
from db.core.table import CreatedAt, Id, Table, Texts, checked, choice
from db.core.values import validation
from db.scopes import SCOPES, beyond
from db.users import Role, User, lowest

OVERLAP = timedelta(hours=24)
MAX_VALID = 100  # keys of one user that are neither revoked nor expired
EXPIRY = "expires_at"
MAX_SHOWN = 40  # characters of what a caller called a scope


def _unknown(name: str) -> str | None:
    return None if name in SCOPES else f"There is no scope '{name[:MAX_SHOWN]}'."


SCOPE = replace(validation.single("", _unknown), most=max(map(len, SCOPES)))


class ApiKey(Table):
    """One key of one user for one service. It never acts with a higher role than `max_role`, and is
    revoked with `created_by_key_id`, the key it was made with, if any."""

    __tablename__ = "api_keys"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    service: Mapped[str] = checked(validation.string(blank=False))
    prefix: Mapped[str] = mapped_column(unique=True)
    hashed_key: Mapped[str] = mapped_column(info={"secret": True})
    scopes: Mapped[Texts] = checked(validation.each(50, SCOPE))
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    max_role: Mapped[str | None] = choice(Role, "max_role")
    created_by_key_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="SET NULL"), index=True
    )

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        """One's own; all of them for administrators."""
        return true() if visibility.keys else visibility.owns(cls.user_id)


LISTING = ListSpec(
    ApiKey,
    filters=columns_by_name(
        ApiKey.user_id,
        ApiKey.service,
        ApiKey.prefix,
        ApiKey.scopes,
        ApiKey.last_used_at,
        ApiKey.expires_at,
        ApiKey.revoked_at,
        ApiKey.created_at,
    ),
    orders={"CREATED_AT": ApiKey.id, "SERVICE": ApiKey.service},
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: its record, and the text that is shown this once."""

    record: Any
    text: str = field(repr=False)


# Statements


def held(prefixes: Collection[str]) -> Executable:
    """The columns of keys and of their users needed for signing in."""
    columns = (ApiKey.prefix, ApiKey.id, ApiKey.user_id, ApiKey.hashed_key, ApiKey.scopes)
    limits = (ApiKey.expires_at, ApiKey.revoked_at, ApiKey.max_role)
    of_user = (User.role, User.disabled_at)
    statement = select(*columns, *limits, *of_user).join(User, User.id == ApiKey.user_id)
    return statement.where(ApiKey.prefix == any_(literal(list(prefixes), ARRAY(Text))))


def overview() -> Select[Any]:
    """All keys with the address and state of their users, oldest first, without secrets."""
    shown = [column for column in ApiKey.columns() if column.name != "hashed_key"]
    of_user = (User.email, User.role, User.disabled_at)
    statement = select(*shown, *of_user).join(User, User.id == ApiKey.user_id)
    return statement.order_by(ApiKey.id)


def of_user(user_id: UUID | None) -> list[ColumnElement[bool]]:
    """The condition that a key is of that user; it holds for none when there is none."""
    return [owned_by(ApiKey.user_id, user_id)]


# Reads


async def by_prefixes(session: ReadSession, prefixes: Collection[str]) -> dict[str, Any]:
    """The rows of `held`, by prefix."""
    return {row.prefix: row for row in await session.rows(held(prefixes))}


async def everyone(session: ReadSession) -> Sequence[Any]:
    """The rows of `overview`."""
    return await session.rows(overview())


# Writes


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
    """Makes a key of a user. One that is made with a key expires no later than that key.

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
    """Makes a key in place of another, which stays valid for the overlap and no longer than before.

    The new one has the lifetime of the old one, from now, but expires no later than a key that it
    is made with. Raises NotFound, and Conflict where the old one is no longer valid.
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
        expires_at=earliest(life, acting and acting.expires_at),
        max_role=lowest(old.max_role, max_role),
    )


async def revoke(session: WriteSession, prefix: str) -> Any:
    """Revokes a key and all keys made with it, directly or not. Idempotent. Raises NotFound."""
    key, whole = await _locked(session, prefix), session.unrestricted()
    for made in await _made_with(whole, key.id):
        await _end(whole, made)
    return await _end(session, key)


async def touch(session: WriteSession, ids: Collection[UUID]) -> None:
    """Notes that these keys were used just now."""
    used = ApiKey.id == func.any(literal(list(ids), ARRAY(Uuid)))
    await session.execute(update(ApiKey).where(used).values(last_used_at=func.now()))


def is_valid(key: Any, now: datetime) -> bool:
    """Whether a key is neither revoked nor expired."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def earliest(*times: datetime | None) -> datetime | None:
    """The earliest of some times, of which None is never."""
    return min(filter(None, times), default=None)


async def _make(session: WriteSession, api_key_codec: ApiKeyCodec, **values: Any) -> NewKey:
    credential = api_key_codec.new()
    stored = {"prefix": credential.prefix, "hashed_key": api_key_codec.hashed(credential)}
    made_with = {"created_by_key_id": session.audit_context.key_id}
    record = await audit.create(session, ApiKey, **values, **stored, **made_with)
    return NewKey(record, credential.text)


async def _end(session: WriteSession, key: Any) -> Any:
    return await audit.change(session, ApiKey, key, revoked_at=key.revoked_at or session.now())


async def _made_with(session: WriteSession, id: UUID) -> list[Any]:
    """The keys made with a key, directly or not, locked."""
    found: list[Any] = []
    makers = [id]
    while makers:
        among = ApiKey.created_by_key_id == any_(literal(makers, ARRAY(Uuid)))
        made = await session.records(ApiKey, ApiKey.select().where(among).with_for_update())
        found += made
        makers = [key.id for key in made]
    return found


async def _acting(session: WriteSession) -> Any | None:
    """The key that authenticates this session, if any. Locked, so that it cannot be revoked before
    the keys made with it are stored. Raises Forbidden for a key no longer valid."""
    if session.audit_context.key_id is None:
        return None
    acting = (
        ApiKey.select().where(ApiKey.id == session.audit_context.key_id).with_for_update(read=True)
    )
    key = await session.record(ApiKey, acting)
    if key is None or not is_valid(key, session.now()):
        raise Forbidden("The key that you sign in with is no longer valid.")
    return key


async def _owner(session: WriteSession, user_id: UUID) -> Any:
    """The user of a new key, locked so that two keys cannot both be the last allowed. Raises
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


def _valid_count(user_id: UUID, now: datetime) -> Select[Any]:
    unexpired = or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > now)
    valid = (ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None), unexpired)
    return select(func.count()).select_from(ApiKey).where(*valid)


def _within(acting: Any | None, expires_at: datetime | None) -> datetime | None:
    """The expiry of a key made with `acting`. Raises Invalid for one later than that key's."""
    last = acting and acting.expires_at
    if last and expires_at and expires_at > last:
        raise Invalid(f"A key made with a key expires no later, {last:%Y-%m-%d %H:%M} UTC.", EXPIRY)
    return expires_at or last


def _check(
    service: str, scopes: Collection[str], expires_at: datetime | None, now: datetime
) -> None:
    ApiKey.cleaned({"service": service, "scopes": scopes})
    if expires_at and expires_at <= now:
        raise Invalid("The key would have expired already.", EXPIRY)


def _check_use(role: Role | None, scopes: Collection[str]) -> None:
    """Refuses scopes that have no effect for a role."""
    if role and (useless := beyond(role, scopes)):
        needed = SCOPES[useless[0]].role
        message = f"The scope {useless[0]} needs the role {needed}; this key would act as {role}."
        raise Invalid(message, "scopes")


async def _locked(session: WriteSession, prefix: str) -> Any:
    statement = ApiKey.select().where(ApiKey.prefix == prefix).with_for_update()
    if (key := await session.record(ApiKey, statement)) is None:
        raise NotFound("There is no key with this id.")
    return key
