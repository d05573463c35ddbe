"""Users: the people and services that sign in, and their preferences."""

import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.core import check
from db.core.database import WriteSession
from db.core.errors import Conflict, Invalid
from db.core.listing import Listing, by_name
from db.core.table import CreatedAt, Id, Json, Table, UpdatedAt, choice


class Role(StrEnum):
    """What a user may do."""

    MEMBER = "MEMBER"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


RANKS = {Role.MEMBER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}


def lowest(*roles: str | None) -> Role | None:
    """The lowest of some roles, of which None is no limit."""
    given = [Role(role) for role in roles if role is not None]
    return min(given, key=RANKS.__getitem__, default=None)


class User(Table):
    """One person or service."""

    __tablename__ = "users"

    id: Mapped[Id]
    email: Mapped[str | None] = mapped_column(unique=True)
    wallet_address: Mapped[str | None] = mapped_column(unique=True)
    passport_tier: Mapped[str] = mapped_column(server_default="visitor")
    role: Mapped[str] = choice(Role, "role", server_default=Role.MEMBER)
    metadata_: Mapped[Json] = mapped_column("metadata")
    preferences: Mapped[Json]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    disabled_at: Mapped[datetime | None]


LISTING = Listing(
    User,
    filters=by_name(
        User.email,
        User.wallet_address,
        User.passport_tier,
        User.role,
        User.created_at,
        User.disabled_at,
    ),
    orders={"CREATED_AT": User.id, "EMAIL": User.email},
)

EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
MAX_EMAIL = 254  # RFC 5321 §4.5.3.1.3, less the brackets
MAX_NAME = 200


async def create(session: WriteSession, **values: Any) -> Any:
    """Stores a MEMBER. Raises Invalid, and Conflict for an address that somebody has."""
    _check(values)
    return await audit.create(session, User, **values)


async def edit(session: WriteSession, user: Any, **values: Any) -> Any:
    """Changes a user. Raises Invalid, and Conflict for an address that somebody has."""
    _check(values)
    return await audit.change(session, User, user, **values)


async def administrators(session: WriteSession) -> set[UUID]:
    """The ids of all administrators that are not disabled, locked, so that two cannot lose the role
    at once. Take this lock before that of any one user."""
    enabled = (User.role == Role.ADMIN, User.disabled_at.is_(None))
    admins = User.select().where(*enabled).order_by(User.id).with_for_update()
    return {admin.id for admin in await session.records(User, admins)}


async def assign(session: WriteSession, user: Any, role: Role, admins: set[UUID]) -> Any:
    """Gives a user a role. Raises Conflict where that would leave no administrator."""
    if role != Role.ADMIN:
        check_left(user, admins)
    return await audit.change(session, User, user, role=role)


async def disable(session: WriteSession, user: Any, admins: set[UUID]) -> Any:
    """Disables a user, so that no credential of theirs is accepted. Raises Conflict for the last
    administrator."""
    check_left(user, admins)
    disabled_at = user.disabled_at or datetime.now(UTC)
    return await audit.change(session, User, user, disabled_at=disabled_at)


async def enable(session: WriteSession, user: Any) -> Any:
    """Enables a disabled user."""
    return await audit.change(session, User, user, disabled_at=None)


def check_left(user: Any, admins: set[UUID]) -> None:
    """Raises Conflict for the last administrator."""
    if admins == {user.id}:
        raise Conflict("This is the last ADMIN; make somebody else one first.")


def _check(values: dict[str, Any]) -> None:
    email = values.get("email")
    check.length(email, "email", MAX_EMAIL)
    if email is not None and not EMAIL.fullmatch(email):
        raise Invalid("This is no address.", "email")
    check.length(values.get("wallet_address"), "walletAddress", MAX_NAME)
    check.length(values.get("passport_tier"), "passportTier", MAX_NAME)
    for name in {"metadata", "preferences"} & set(values):
        check.mapping(values[name], name)
