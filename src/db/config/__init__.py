"""Config: settings that can be changed while the system runs, and feature flags."""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Text,
    Uuid,
    any_,
    case,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from db.audit import AuditEntry, Change
from db.core import secret_detection
from db.core.errors import FieldError
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import ReadSession
from db.core.table import (
    Column,
    CreatedAt,
    Expression,
    Id,
    Table,
    UpdatedAt,
    checked,
    choice,
)
from db.core.values import json, validation
from db.core.values.validation import Check

KEY = validation.pattern(
    "[a-z0-9_.-]+",
    100,
    "A key must have 1 to 100 lower-case letters, digits, `_`, `.` and `-`.",
    "1 to 100 lower-case letters, digits, `_`, `.` and `-`.",
)

VARIABLE = validation.pattern(
    "[A-Za-z_][A-Za-z0-9_]*",
    100,
    "The name of an environment variable has 1 to 100 letters, digits and `_`, like "
    "`OPENAI_API_KEY`.",
    "1 to 100 letters, digits and `_`.",
)


def _rejecting_secrets(of: Check) -> Check:
    def faults(value: str) -> Iterator[FieldError]:
        yield from of.faults(value)
        if secret_detection.holds_credential(value):
            yield FieldError("This looks like a secret; secrets are not stored.")

    return replace(of, faults=faults)


DESCRIPTION = _rejecting_secrets(validation.string(2_000, 0))
CATEGORY = _rejecting_secrets(validation.string(100))


class ConfigKind(StrEnum):
    """Whether a setting holds a value or refers to a secret."""

    PLAIN = "PLAIN"
    SECRET_REFERENCE = "SECRET_REFERENCE"  # noqa: S105  the name of a kind, not a secret


class ConfigEntry(Table):
    """One setting. The value of a SECRET_REFERENCE is the name of an environment variable."""

    __tablename__ = "system_config"
    __table_args__ = (
        CheckConstraint(
            "kind <> 'SECRET_REFERENCE' or jsonb_typeof(value) = 'string'", name="reference"
        ),
    )

    id: Mapped[Id]
    key: Mapped[str] = checked(KEY, unique=True)
    value: Mapped[json.JsonValue] = checked(validation.DOCUMENT, type_=JSONB)
    description: Mapped[str | None] = checked(DESCRIPTION)
    category: Mapped[str | None] = checked(CATEGORY, index=True)
    kind: Mapped[str] = choice(ConfigKind, "kind", server_default=ConfigKind.PLAIN)
    version: Mapped[int] = mapped_column(server_default=text("1"))
    updated_by: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


class FeatureFlag(Table):
    """A feature that is on for a percentage of the users."""

    __tablename__ = "feature_flags"
    __table_args__ = (CheckConstraint("rollout_percent between 0 and 100", name="rollout_percent"),)

    id: Mapped[Id]
    key: Mapped[str] = checked(KEY, unique=True)
    enabled: Mapped[bool] = mapped_column(server_default=text("false"))
    rollout_percent: Mapped[int] = checked(validation.within(0, 100), server_default=text("100"))
    description: Mapped[str | None] = checked(DESCRIPTION)
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


LISTING = ListSpec(
    ConfigEntry,
    grows=False,
    filters=columns_by_name(
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
    most=200,
)

FLAGS = ListSpec(
    FeatureFlag,
    grows=False,
    filters=columns_by_name(
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
    most=200,
)


def of_category(category: str | None) -> list[ColumnElement[bool]]:
    return [] if category is None else [ConfigEntry.category == category]


def among(
    keys: Collection[str] | None, categories: Collection[str] | None
) -> tuple[ColumnElement[bool], ...]:
    return _among(ConfigEntry.key, keys) + _among(ConfigEntry.category, categories)


async def entries(
    session: ReadSession, keys: Collection[str] | None, categories: Collection[str] | None
) -> list[ConfigEntry]:
    statement = ConfigEntry.select().where(*among(keys, categories))
    return await session.records(ConfigEntry, statement.order_by(ConfigEntry.key))


async def left(
    session: ReadSession,
    keys: Collection[str] | None,
    categories: Collection[str] | None,
    changes: Sequence[Change],
) -> frozenset[UUID]:
    """The ids of changed entries that had one of those keys and categories before. A column that a
    change did not touch is not in its audit entry, so its present value is used."""
    was = AuditEntry.before
    key = func.coalesce(was["key"].astext, ConfigEntry.key)
    noted = case((was.has_key("category"), was["category"].astext), else_=ConfigEntry.category)
    audit_ids = [change.audit_id for change in changes if change.audit_id]
    statement = (
        select(AuditEntry.entity_id)
        .join(ConfigEntry, ConfigEntry.id == AuditEntry.entity_id, isouter=True)
        .where(AuditEntry.id == any_(literal(audit_ids, ARRAY(Uuid))))
        .where(func.jsonb_typeof(was) == "object")  # the entry existed before
        .where(*_among(key, keys), *_among(noted, categories))
    )
    return frozenset(id for (id,) in await session.rows(statement))


MOST_REFERENCES = 1_000


async def references(session: ReadSession) -> list[str]:
    """The names of the environment variables that settings refer to."""
    refer = ConfigEntry.kind == ConfigKind.SECRET_REFERENCE
    names = select(ConfigEntry.value).where(refer).order_by(ConfigEntry.key).limit(MOST_REFERENCES)
    return list(dict.fromkeys([str(name) for (name,) in await session.rows(names)]))


async def flags(session: ReadSession) -> list[FeatureFlag]:
    return await session.records(FeatureFlag, FeatureFlag.select().order_by(FeatureFlag.key))


def _among(
    column: Expression | Column, values: Collection[str] | None
) -> tuple[ColumnElement[bool], ...]:
    return () if values is None else (column == any_(literal(list(values), ARRAY(Text))),)


def is_on(flag: FeatureFlag | None, user_id: UUID | None) -> bool:
    """True if a feature is on for a user. The result is stable: it stays on for a user when
    `rollout_percent` grows."""
    if flag is None or not flag.enabled:
        return False
    text = flag.key if user_id is None else f"{flag.key}:{user_id}"
    place = int.from_bytes(hashlib.sha256(text.encode()).digest()) % 100
    return place < flag.rollout_percent
