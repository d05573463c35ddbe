"""Types: settings and feature flags."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Self

from strawberry.scalars import JSON

import db
from db import ReadSession
from db.config import ConfigKind as ConfigKind
from db.core.secret_detection import fingerprint
from graph.core.context import Info
from graph.core.loader import Loader, One
from graph.core.permission import scope
from graph.core.types.field import enum, field, related
from graph.core.types.node import Node, node
from graph.users import User, UserById

READ = scope("config:read")
WRITE = scope("config:write")

# Values: of a reference only the name is shown, and whether the gateway finds a secret there.


def _value(root: Any) -> Any:
    return root.value if root.kind == ConfigKind.PLAIN else None


def _reference(root: Any) -> str | None:
    return root.value if root.kind == ConfigKind.SECRET_REFERENCE else None


def _is_present(root: Any) -> bool | None:
    name = _reference(root)
    return bool(os.environ.get(name)) if name else None


def _fingerprint(root: Any, info: Info) -> str | None:
    text = os.environ.get(_reference(root) or "")
    return (
        fingerprint(info.context.api_key_codec().pepper, text)
        if text and info.context.api_key_codec
        else None
    )


# Loaders


class NumberByKey(Loader):
    """Settings of ours that are numbers, whether somebody set them or not. They are the same for
    all: for messages of many subscriptions they are read together."""

    @classmethod
    def of(cls, info: Info, *_: Any) -> Self:
        return super().of(info, info.context.coalescer)

    async def batch_load_fn(self, keys: list[Any]) -> list[Any]:
        (coalescer,) = self.arguments
        if coalescer is None:
            return await super().batch_load_fn(keys)
        found = await coalescer.of(db.config.numbers, keys)
        return [found[key] for key in keys]

    async def found(self, session: ReadSession, keys: Sequence[Any]) -> Mapping[Any, Any]:
        return await db.config.numbers(session, keys)


class ConfigByKey(One):
    table = db.config.ConfigEntry
    columns = (db.config.ConfigEntry.key,)


class FlagByKey(One):
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
    fingerprint: str | None = field(
        "Eight digits made from the secret and the gateway's pepper: they tell whether it was "
        "changed, and whether two gateways have the same one. Null when there is none.",
        resolver=_fingerprint,
    )
    description: str | None = field("What the setting is for.")
    category: str | None = field("What it belongs to, for example `limits`.")
    version: int = field("Grows by one with each edit; send it back as `expectedVersion`.")
    created_at: datetime = field("When it was created.")
    updated_at: datetime = field("When it was last changed.")
    updated_by: User | None = related(
        UserById, "updated_by", description="Who changed it last; null when that is not known."
    )


@node(db.config.FeatureFlag, access=READ, viewer_independent=True)
class FeatureFlag(Node):
    """A feature that is on for a share of the users."""

    key: str = field("Name of the feature, unique.")
    enabled: bool = field("Whether it is on at all.")
    rollout_percent: int = field("For how many of 100 users it is on while it is enabled.")
    description: str | None = field("What the feature is.")
    created_at: datetime = field("When the flag was created.")
    updated_at: datetime = field("When it was last changed.")
