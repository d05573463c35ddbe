"""API keys: what services sign in with; only a keyed hash of the secret is stored."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
    select,
    true,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.core.credential import Mint
from db.core.database import ReadSession, WriteSession
from db.core.errors import Conflict, Invalid, NotFound
from db.core.listing import Listing, by_name
from db.core.sight import Sight, owned
from db.core.table import CreatedAt, Id, Table, Texts
from db.scopes import SCOPES
from db.users import User

OVERLAP = timedelta(hours=24)
MAX_SHOWN = 40  # characters of what a caller called a scope


class ApiKey(Table):
    """One key of one user for one service."""

    __tablename__ = "api_keys"

    id: Mapped[Id]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    service: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    hashed_key: Mapped[str] = mapped_column(info={"secret": True})
    scopes: Mapped[Texts]
    last_used_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, sight: Sight) -> ColumnElement[bool]:
        """One's own; all of them for administrators."""
        return true() if sight.keys else sight.owns(cls.user_id)


LISTING = Listing(
    ApiKey,
    filters=by_name(
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
    """What signing in with keys needs of them, and the roles of their users."""
    columns = (ApiKey.prefix, ApiKey.id, ApiKey.user_id, ApiKey.hashed_key, ApiKey.scopes)
    times = (ApiKey.expires_at, ApiKey.revoked_at)
    statement = select(*columns, *times, User.role).join(User, User.id == ApiKey.user_id)
    return statement.where(ApiKey.prefix == any_(literal(list(prefixes), ARRAY(Text))))


def overview() -> Select[Any]:
    """All keys with the addresses of their users, oldest first; nothing of their secrets."""
    shown = [column for column in ApiKey.columns() if column.name != "hashed_key"]
    statement = select(*shown, User.email).join(User, User.id == ApiKey.user_id)
    return statement.order_by(ApiKey.id)


def of_user(user_id: UUID | None) -> list[ColumnElement[bool]]:
    """The condition that a key is of that user; it holds for none when there is none."""
    return [owned(ApiKey.user_id, user_id)]


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
    mint: Mint,
    *,
    user_id: UUID,
    service: str,
    scopes: Collection[str] = (),
    expires_at: datetime | None = None,
) -> NewKey:
    """Makes a key of a user. Raises Invalid, and NotFound where there is no such user."""
    _check(service, scopes, expires_at)
    credential = mint.new()
    record = await audit.create(
        session,
        ApiKey,
        user_id=user_id,
        service=service,
        prefix=credential.prefix,
        hashed_key=mint.hashed(credential),
        scopes=sorted(set(scopes)),
        expires_at=expires_at,
    )
    return NewKey(record, credential.text)


async def revoke(session: WriteSession, prefix: str) -> Any:
    """Ends a key for good; ending it again changes nothing. Raises NotFound."""
    key = await _locked(session, prefix)
    return await audit.change(session, ApiKey, key, revoked_at=key.revoked_at or datetime.now(UTC))


async def rotate(
    session: WriteSession, mint: Mint, prefix: str, overlap: timedelta = OVERLAP
) -> NewKey:
    """Makes a key in place of another, which stays valid for the overlap and no longer than before.

    The new one lives as long as the old one was to live, from now. Raises NotFound, and Conflict
    where the old one is no longer valid.
    """
    old, now = await _locked(session, prefix), datetime.now(UTC)
    if old.revoked_at or (old.expires_at and old.expires_at <= now):
        raise Conflict("This key is revoked or expired: create a new one.")
    life = old.expires_at - old.created_at if old.expires_at else None
    until = min(filter(None, (old.expires_at, now + overlap)))
    await audit.change(session, ApiKey, old, expires_at=until)
    return await create(
        session,
        mint,
        user_id=old.user_id,
        service=old.service,
        scopes=old.scopes,
        expires_at=now + life if life else None,
    )


async def touch(session: WriteSession, ids: Collection[UUID]) -> None:
    """Notes that these keys were used just now."""
    used = ApiKey.id == func.any(literal(list(ids), ARRAY(Uuid)))
    await session.execute(update(ApiKey).where(used).values(last_used_at=func.now()))


def _check(service: str, scopes: Collection[str], expires_at: datetime | None) -> None:
    if not service.strip():
        raise Invalid("Say which service the key is for.", "service")
    if unknown := set(scopes).difference(SCOPES):
        raise Invalid(f"There is no scope {min(unknown)[:MAX_SHOWN]!r}.", "scopes")
    if expires_at and expires_at <= datetime.now(UTC):
        raise Invalid("The key would have expired already.", "expiresAt")


async def _locked(session: WriteSession, prefix: str) -> Any:
    statement = ApiKey.select().where(ApiKey.prefix == prefix).with_for_update()
    if (key := await session.record(ApiKey, statement)) is None:
        raise NotFound("There is no key with this id.")
    return key
