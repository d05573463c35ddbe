"""Types: settings and feature flags."""

import os
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Self

from strawberry.scalars import JSON

import db
from db import ReadSession
from db.config import ConfigKind as ConfigKind, numbers
from db.core.query.batch import Key
from db.core.secret_detection import fingerprint
from db.core.session.coalescing import ReadCoalescer
from db.users import Role
from graph.core.context import Info
from graph.core.loader import Loader, One
from graph.core.permission import scope
from graph.core.types.field import enum, field, related
from graph.core.types.node import Node, node
from graph.users import User, UserById

READ = scope("config:read")
WRITE = scope("config:write")
LOAD = scope("config:write", role=Role.ADMIN)

# Values: of a reference only the name is shown, and whether the gateway finds a secret there.

SHOWN = ("kind", "value")  # columns


def _value(root: db.config.ConfigEntry) -> object:
    return root.value if root.kind == ConfigKind.PLAIN else None


def _reference(root: db.config.ConfigEntry) -> str | None:
    return str(root.value) if root.kind == ConfigKind.SECRET_REFERENCE else None


def _is_present(root: db.config.ConfigEntry) -> bool | None:
    name = _reference(root)
    return bool(os.environ.get(name)) if name else None


def _fingerprint(root: db.config.ConfigEntry, info: Info) -> str | None:
    text = os.environ.get(_reference(root) or "")
    return (
        fingerprint(info.context.api_key_codec().pepper, text)
        if text and info.context.api_key_codec
        else None
    )


# Loaders


class NumberByKey(Loader[Decimal, ReadCoalescer | None]):
    """Settings of the gateway that are numbers, or their defaults. They do not depend on the
    viewer, so messages of many subscriptions read them together."""

    @classmethod
    def of(cls, info: Info, *_: object) -> Self:
        return super().of(info, info.context.coalescer)

    async def batch_load_fn(self, keys: list[Key]) -> list[Decimal]:
        (coalescer,) = self.arguments
        if coalescer is None:
            return await super().batch_load_fn(keys)
        found = await coalescer.of(numbers.read_many, keys)
        return [found[key] for key in keys]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> dict[Key, Decimal]:
        return await numbers.read_many(session, keys)


class ConfigByKey(One[db.config.ConfigEntry]):
    table = db.config.ConfigEntry
    columns = (db.config.ConfigEntry.key,)


class FlagByKey(One[db.config.FeatureFlag]):
    table = db.config.FeatureFlag
    columns = (db.config.FeatureFlag.key,)


# Types

enum(
    ConfigKind,
    PLAIN="The entry holds its value.",
    SECRET_REFERENCE="The entry holds the name of an environment variable that holds the secret.",  # noqa: S106  a description
)


@node(db.config.ConfigEntry, access=READ, viewer_independent=True)
class ConfigEntry(Node):
    """A setting. A secret is never stored or shown: its entry only refers to it."""

    key: str = field("Unique key of the setting.")
    kind: ConfigKind = field("Whether the setting holds a value or refers to a secret.")
    value: JSON | None = field(
        "Value of the setting. Null for secrets.", resolver=_value, reads=SHOWN
    )
    reference: str | None = field(
        "Name of the environment variable that holds the secret. Null for settings with a value.",
        resolver=_reference,
        reads=SHOWN,
    )
    is_present: bool | None = field(
        "Whether the environment variable is set and not empty on the gateway that handles the "
        "request. Null for settings with a value.",
        resolver=_is_present,
        reads=SHOWN,
    )
    fingerprint: str | None = field(
        "Eight digits derived from the secret and the gateway's pepper, to detect a changed "
        "secret or compare two gateways. Null if there is no secret.",
        resolver=_fingerprint,
        reads=SHOWN,
    )
    description: str | None = field("Description of the setting.")
    category: str | None = field("Category of the setting, for example `limits`.")
    version: int = field(
        "Increases by one with each edit. Send it as `expectedVersion` to detect concurrent edits."
    )
    created_at: datetime = field("When the setting was created.")
    updated_at: datetime = field("When it was last updated.")
    updated_by: User | None = related(
        UserById,
        "updated_by",
        description="The user who last updated the setting. Null if unknown.",
    )


@node(db.config.FeatureFlag, access=READ, viewer_independent=True)
class FeatureFlag(Node):
    """A feature that is on for a percentage of users."""

    key: str = field("Unique key of the feature.")
    enabled: bool = field("Whether the feature is enabled.")
    rollout_percent: int = field(
        "Percentage of users for which the feature is on while it is enabled."
    )
    description: str | None = field("Description of the feature.")
    created_at: datetime = field("When the flag was created.")
    updated_at: datetime = field("When it was last updated.")
