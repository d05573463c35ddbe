"""Config: settings of the whole system that change while it runs, and its feature flags."""

import os
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry.scalars import JSON

import db
from db.config import ConfigKind
from graph.core.connection import Argument, Connection, listed
from graph.core.context import Info
from graph.core.field import enum, field, related
from graph.core.filter import filters, orders
from graph.core.loader import One
from graph.core.node import Node, node
from graph.core.permission import scope
from graph.users import User, UserById

READ = scope("config:read")

# Values: of a reference only the name is shown, and whether the gateway finds a secret there.


def _value(root: Any) -> Any:
    return root.value if root.kind == ConfigKind.PLAIN else None


def _reference(root: Any) -> str | None:
    return root.value if root.kind == ConfigKind.SECRET_REFERENCE else None


def _is_present(root: Any) -> bool | None:
    name = _reference(root)
    return bool(os.environ.get(name)) if name else None


# Loaders


class ConfigByKey(One):
    table = db.config.ConfigEntry
    columns = (db.config.ConfigEntry.key,)


# Types

enum(
    ConfigKind,
    PLAIN="The entry holds its value.",
    SECRET_REFERENCE="The entry holds the name of an environment variable that holds the secret.",  # noqa: S106  a description
)


@node(db.config.ConfigEntry, access=READ)
class ConfigEntry(Node):
    """One setting. A secret is never stored or shown: its entry only says where it is kept."""

    key: str = field("Name of the setting, unique.")
    kind: ConfigKind = field("Whether it holds a value, or says where a secret is kept.")
    value: JSON | None = field("Its value; null for secrets.", resolver=_value)
    reference: str | None = field(
        "The environment variable that holds the secret; null when it is none.", resolver=_reference
    )
    is_present: bool | None = field(
        "Whether the gateway that answers has that environment variable, and it is not empty; null "
        "when it is no secret.",
        resolver=_is_present,
    )
    description: str | None = field("What the setting is for.")
    category: str | None = field("What it belongs to, for example `limits`.")
    version: int = field("Grows by one with each edit; send it back as `expectedVersion`.")
    created_at: datetime = field("When it was created.")
    updated_at: datetime = field("When it was last changed.")
    updated_by: User | None = related(
        UserById, "updated_by", description="Who changed it last; null when that is not known."
    )


@node(db.config.FeatureFlag, access=READ)
class FeatureFlag(Node):
    """A feature that is on for a share of the users."""

    key: str = field("Name of the feature, unique.")
    enabled: bool = field("Whether it is on at all.")
    rollout_percent: int = field("For how many of 100 users it is on while it is enabled.")
    description: str | None = field("What the feature is.")
    created_at: datetime = field("When the flag was created.")
    updated_at: datetime = field("When it was last changed.")


# Inputs

Key = Annotated[str, strawberry.argument(description="The `key` of a setting.")]
CATEGORY = Argument("category", str, "Only settings of this category.")


@filters(db.config.LISTING)
class ConfigEntryFilter:
    """Conditions on settings; all given must hold."""


@orders(db.config.LISTING)
class ConfigEntryOrder:
    """Order of settings."""


@filters(db.config.FLAGS)
class FeatureFlagFilter:
    """Conditions on feature flags; all given must hold."""


@orders(db.config.FLAGS)
class FeatureFlagOrder:
    """Order of feature flags."""


# Operations


@strawberry.type
class Queries:
    configs: Connection[ConfigEntry] = listed(
        db.config.LISTING,
        "Settings, newest first.",
        READ,
        CATEGORY,
        where=lambda _info, category: db.config.of_category(category),
    )
    feature_flags: Connection[FeatureFlag] = listed(
        db.config.FLAGS, "Feature flags, newest first.", READ
    )

    @field("The setting with that key; null if there is none.", READ)
    async def config(self, info: Info, key: Key) -> ConfigEntry | None:
        return await ConfigByKey.of(info).load(key)
