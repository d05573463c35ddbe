"""Users: the people and services that sign in, and their preferences."""

from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from db.core.listing import Listing, by_name
from db.core.table import CreatedAt, Id, Json, Table, UpdatedAt, choice


class Role(StrEnum):
    """What a user may do."""

    MEMBER = "MEMBER"
    OPERATOR = "OPERATOR"
    ADMIN = "ADMIN"


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


LISTING = Listing(
    User,
    filters=by_name(
        User.email, User.wallet_address, User.passport_tier, User.role, User.created_at
    ),
    orders={"CREATED_AT": User.id, "EMAIL": User.email},
)
