"""Config: the settings of the whole system that change while it runs, and its feature flags."""

from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ColumnElement, ForeignKey, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.core.database import ReadSession
from db.core.listing import Listing, by_name
from db.core.table import CreatedAt, Id, Table, UpdatedAt, choice


class ConfigKind(StrEnum):
    """Whether an entry holds a value, or only the name of where a secret is kept."""

    PLAIN = "PLAIN"
    SECRET_REFERENCE = "SECRET_REFERENCE"  # noqa: S105  the name of a kind, not a secret


class ConfigEntry(Table):
    """One setting. The value of a SECRET_REFERENCE is the name of an environment variable."""

    __tablename__ = "system_config"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    value: Mapped[Any] = mapped_column(JSONB)
    description: Mapped[str | None]
    category: Mapped[str | None] = mapped_column(index=True)
    kind: Mapped[str] = choice(ConfigKind, "kind", server_default=ConfigKind.PLAIN)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class FeatureFlag(Table):
    """A feature that is on for a share of the users."""

    __tablename__ = "feature_flags"
    __table_args__ = (CheckConstraint("rollout_percent between 0 and 100", name="rollout_percent"),)

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    rollout_percent: Mapped[int] = mapped_column(server_default=text("100"))
    description: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


LISTING = Listing(
    ConfigEntry,
    filters=by_name(
        ConfigEntry.key,
        ConfigEntry.category,
        ConfigEntry.kind,
        ConfigEntry.updated_by,
        ConfigEntry.updated_at,
    ),
    orders={
        "CREATED_AT": ConfigEntry.id,
        "KEY": ConfigEntry.key,
        "CATEGORY": ConfigEntry.category,
        "UPDATED_AT": ConfigEntry.updated_at,
    },
)

FLAGS = Listing(
    FeatureFlag,
    filters=by_name(
        FeatureFlag.key,
        FeatureFlag.enabled,
        FeatureFlag.rollout_percent,
        FeatureFlag.updated_at,
    ),
    orders={
        "CREATED_AT": FeatureFlag.id,
        "KEY": FeatureFlag.key,
        "UPDATED_AT": FeatureFlag.updated_at,
    },
)


def of_category(category: str | None) -> list[ColumnElement[bool]]:
    """The condition that an entry is of that category; none for None."""
    return [] if category is None else [ConfigEntry.category == category]


ACHIEVED_AT = "dreams.achieved_at"
NUMBERS = {ACHIEVED_AT: (5, 0, 100)}  # settings of ours that are numbers: default, least, most


async def number(session: ReadSession, key: str) -> float:
    """A setting of ours that is a number; its default where nobody set it to one."""
    default = NUMBERS[key][0]
    value = await session.scalar(select(ConfigEntry.value).where(ConfigEntry.key == key))
    return value if isinstance(value, int | float) else default
