"""Users: the people and services that sign in, and their preferences."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.core.errors import Conflict, FieldError
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import WriteSession
from db.core.table import CreatedAt, Id, Json, Table, Texts, UpdatedAt, checked, choice, spelled
from db.core.values import validation
from db.core.values.email import EMAIL
from db.core.values.wallet import WALLET


class Role(StrEnum):
    """Roles of users, each with the rights of those before it."""

    MEMBER = "MEMBER"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


RANKS = {Role.MEMBER: 1, Role.OPERATOR: 2, Role.ADMIN: 3}
ISSUER = validation.string(255)
SUBJECT = validation.string(255)  # OpenID Connect Core 1.0 §2
MAX_BUDGET = 1_000_000_000  # US dollars a month
TIERS = ("visitor", "dreamer", "citizen", "operator", "architect", "founder")  # lowest first


def lowest(*roles: str | None) -> Role | None:
    given = [Role(role) for role in roles if role is not None]
    return min(given, key=RANKS.__getitem__, default=None)


KINDS = validation.each(50, validation.string())  # of notifications


class User(Table):
    """One person or service.

    Several users can have one address: in two spellings, from earlier versions, or because it was
    reassigned. It belongs to the user whose `email_copy` is 0; the others have 1, 2 and so on.
    Wallet addresses are not verified; `wallet_copy` is for earlier versions.
    """

    __tablename__ = "users"
    __table_args__ = (Index(None, "email", "id"),)

    id: Mapped[Id]
    email: Mapped[str | None] = checked(EMAIL)
    wallet_address: Mapped[str | None] = checked(WALLET)
    passport_tier: Mapped[str] = checked(validation.one_of(TIERS), server_default="visitor")
    role: Mapped[str] = choice(Role, "role", server_default=Role.MEMBER)
    metadata_: Mapped[Json] = checked(validation.REQUIRED_OBJECT, name="metadata")
    preferences: Mapped[Json] = checked(validation.REQUIRED_OBJECT)
    email_notifications: Mapped[Texts] = checked(KINDS)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]
    disabled_at: Mapped[datetime | None]
    monthly_budget: Mapped[Decimal | None] = checked(
        validation.within(0, MAX_BUDGET), type_=Numeric(16, 6)
    )
    email_copy: Mapped[int] = mapped_column(server_default=text("0"))
    wallet_copy: Mapped[int] = mapped_column(server_default=text("0"))


spelled_email = spelled(User.email)

Index("uq_users_email_spelled", spelled_email, User.email_copy, unique=True)
Index("ix_users_wallet_address_spelled", spelled(User.wallet_address))


class UserIdentity(Table):
    """The subject and issuer with which a user signs in. Source: OpenID Connect Core 1.0 §5.7."""

    __tablename__ = "user_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    id: Mapped[Id]
    issuer: Mapped[str] = checked(ISSUER)
    subject: Mapped[str] = checked(SUBJECT)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedAt]


LISTING = ListSpec(
    User,
    filters=columns_by_name(
        User.email,
        User.wallet_address,
        User.passport_tier,
        User.role,
        User.created_at,
        User.disabled_at,
    ),
    orders={"CREATED_AT": User.id, "EMAIL": User.email},
)

ADDRESSES = ("email", "wallet_address")


async def create(session: WriteSession, **values: object) -> User:
    """Create a MEMBER. Raises Invalid, and Conflict for an e-mail address that is taken."""
    validation.raise_if_invalid(address_errors(values))
    return await audit.create(session, User, **values)


async def edit(session: WriteSession, user: User, **values: object) -> User:
    """Raises Invalid, and Conflict for an e-mail address that is taken."""
    before = {name: getattr(user, name) for name in ADDRESSES}
    after = {name: values.get(name, address) for name, address in before.items()}
    if after != before:
        validation.raise_if_invalid(address_errors(after))
    copy = {"email_copy": 0} if after["email"] != before["email"] else {}
    return await audit.change(session, User, user, **values, **copy)


async def administrators(session: WriteSession) -> set[UUID]:
    """The ids of all enabled administrators, locked, so that two cannot lose the role at once. Take
    this lock before that of a single user."""
    enabled = (User.role == Role.ADMIN, User.disabled_at.is_(None))
    admins = User.select().where(*enabled).order_by(User.id).with_for_update()
    return {admin.id for admin in await session.records(User, admins)}


async def assign(session: WriteSession, user: User, role: Role, admins: set[UUID]) -> User:
    """Change the role of a user. Raises Conflict for the last administrator."""
    if role != Role.ADMIN:
        check_not_last_admin(user, admins)
    return await audit.change(session, User, user, role=role)


async def disable(session: WriteSession, user: User, admins: set[UUID]) -> User:
    """Reject all credentials of a user. Raises Conflict for the last administrator."""
    check_not_last_admin(user, admins)
    disabled_at = user.disabled_at or session.now()
    return await audit.change(session, User, user, disabled_at=disabled_at)


async def enable(session: WriteSession, user: User) -> User:
    return await audit.change(session, User, user, disabled_at=None)


def check_not_last_admin(user: User, admins: set[UUID]) -> None:
    """Raises Conflict for the last administrator."""
    if admins == {user.id}:
        raise Conflict("This is the last administrator: give another user the role ADMIN first.")


def address_errors(values: Mapping[str, object]) -> Iterator[FieldError]:
    if all(values.get(name) is None for name in ADDRESSES):
        yield FieldError("A user needs an e-mail address or a wallet address.", "email")
