"""API keys: credentials of services; only a keyed hash of the secret is stored."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Executable,
    ForeignKey,
    Text,
    any_,
    literal,
    select,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import ReadSession, ResultRow
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, CreatedAt, Id, Table, Texts, checked, choice
from db.core.values import validation
from db.scopes import SCOPES
from db.users import Role, User

MAX_SHOWN = 40  # characters of an unknown scope in its error message


def _unknown(name: str) -> str | None:
    return None if name in SCOPES else f"There is no scope '{name[:MAX_SHOWN]}'."


SCOPE = replace(validation.single("", _unknown), most=max(map(len, SCOPES)))


class ApiKey(Table):
    """A key of one user for one service. Its role is at most `max_role`. It is revoked with the key
    it was created with, `created_by_key_id`."""

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
    expiry_notified_at: Mapped[datetime | None]
    max_role: Mapped[str | None] = choice(Role, "max_role")
    created_by_key_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("api_keys.id", ondelete="SET NULL"), index=True
    )

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.keys else visibility.owns(cls.user_id)


LISTING = ListSpec(
    ApiKey,
    grows=False,
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


# Statements


def held(prefixes: Collection[str]) -> Executable:
    columns = (ApiKey.prefix, ApiKey.id, ApiKey.user_id, ApiKey.hashed_key, ApiKey.scopes)
    limits = (ApiKey.expires_at, ApiKey.revoked_at, ApiKey.max_role)
    of_user = (User.role, User.disabled_at)
    statement = select(*columns, *limits, *of_user).join(User, User.id == ApiKey.user_id)
    return statement.where(ApiKey.prefix == any_(literal(list(prefixes), ARRAY(Text))))


def overview() -> AnySelect:
    shown = [column for column in ApiKey.columns() if column.name != "hashed_key"]
    of_user = (User.email, User.role, User.disabled_at)
    statement = select(*shown, *of_user).join(User, User.id == ApiKey.user_id)
    return statement.order_by(ApiKey.id)


def of_user(user_id: UUID | None) -> list[ColumnElement[bool]]:
    return [ApiKey.visible(Visibility(user_id=user_id))]


# Reads


async def by_prefixes(session: ReadSession, prefixes: Collection[str]) -> dict[str, ResultRow]:
    return {row.prefix: row for row in await session.rows(held(prefixes))}


async def everyone(session: ReadSession) -> Sequence[ResultRow]:
    return await session.rows(overview())


def is_valid(key: ApiKey | ResultRow, now: datetime) -> bool:
    expires_at: datetime | None = key.expires_at
    return key.revoked_at is None and (expires_at is None or expires_at > now)
