"""Config: settings of the whole system that change while it runs, and its feature flags."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET, Maybe
from strawberry.scalars import JSON

import db
from db import ReadSession, WriteSession
from db.config import ConfigKind
from db.core import errors
from db.core.secrecy import fingerprint
from graph.core.connection import Argument, Connection, listed
from graph.core.context import Info
from graph.core.errors import Conflict, Invalid, NotFound
from graph.core.field import enum, field, related, value
from graph.core.filter import filters, orders
from graph.core.loader import Loader, One
from graph.core.mutation import Given, act, given, result, values
from graph.core.node import Node, global_id, node
from graph.core.permission import PUBLIC, scope
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
    return fingerprint(info.context.mint().pepper, text) if text and info.context.mint else None


# Loaders


class NumberByKey(Loader):
    """Settings of ours that are numbers, whether somebody set them or not."""

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

FlagKey = Annotated[str, strawberry.argument(description="The `key` of a feature flag.")]
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


@given
class SetConfigInput:
    """A setting: either its value, or where its secret is kept."""

    key: str = field("Its name, 1 to 100 small letters, digits, `_`, `.` and `-`.")
    value: Maybe[JSON | None] = field("Any JSON value of at most 64 kB; nothing secret.")
    reference: str | None = field(
        "In place of a value: the environment variable of a secret.", default=UNSET
    )
    description: Maybe[str | None] = field("What the setting is for; stays as it is if left out.")
    category: Maybe[str | None] = field("What it belongs to; stays as it is if left out.")
    expected_version: int | None = field(
        "Its version when it was read; then it must be there already.", default=UNSET
    )


@given
class RemoveConfigInput:
    """A setting that is no longer needed."""

    key: str = field("Its name.")
    expected_version: int | None = field("Its version when it was read.", default=UNSET)


@given
class SyncEnvironmentInput:
    """Environment variables of the gateway that answers."""

    names: list[str] = field("Their names, at most 100; no others are looked at.")


@given
class SetFeatureFlagInput:
    """A feature flag; it is made if there is none of that key."""

    key: str = field("Its name, 1 to 100 small letters, digits, `_`, `.` and `-`.")
    enabled: bool = field("Whether the feature is on at all.")
    rollout_percent: Maybe[int | None] = field(
        "For how many of 100 users it is on; stays as it is if left out, 100 at first."
    )
    description: Maybe[str | None] = field("What the feature is; stays as it is if left out.")


# Results


@value
class ConfigRemoved:
    """A setting that is gone."""

    removed_config_id: strawberry.ID = field("The id it had.")


@value
class EnvironmentSynced:
    """What became of environment variables; each name is in one of the lists."""

    stored: list[str] = field("Those whose values are settings `environment.<name>` now.")
    referenced: list[str] = field(
        "Those that may be secrets: their settings hold only where to find them."
    )
    missing: list[str] = field("Those that are not set; their settings stay as they were.")


SetConfigResult = result("SetConfigResult", ConfigEntry, NotFound, Invalid, Conflict)
RemoveConfigResult = result("RemoveConfigResult", ConfigRemoved, NotFound, Conflict)
SyncEnvironmentResult = result("SyncEnvironmentResult", EnvironmentSynced, Invalid, Conflict)
SetFeatureFlagResult = result("SetFeatureFlagResult", FeatureFlag, Invalid, Conflict)


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

    @field(
        "Whether a feature is on for the viewer: always the same for one user, and for all who are "
        "not signed in. False where there is no such feature.",
        PUBLIC,
    )
    async def feature_enabled(self, info: Info, key: FlagKey) -> bool:
        flag = await FlagByKey.of(info).load(key)
        return db.config.is_on(flag, info.context.principal.user_id)


def content(input: SetConfigInput) -> dict[str, Any]:
    """The columns of a value or of a reference. Raises Invalid unless there is one of them."""
    if input.value and not input.reference:
        return db.config.plain(input.key, input.value.value)
    if input.reference and not input.value:
        return db.config.reference(input.reference)
    raise errors.Invalid("Give either `value` or `reference`.", "value")


async def synced(session: WriteSession, names: list[str]) -> EnvironmentSynced:
    """What became of the environment variables of those names. Raises Invalid."""
    found: dict[Any, list[str]] = {kind: [] for kind in (*ConfigKind, None)}
    for name in dict.fromkeys(names):
        text = os.environ.get(name)
        entry = text and await db.config.store_variable(session, name, text)
        found[entry.kind if entry else None].append(name)
    plain, references, missing = found.values()
    return EnvironmentSynced(stored=plain, referenced=references, missing=missing)


@strawberry.type
class Mutations:
    @field("Create a setting or change it.", WRITE, graphql_type=SetConfigResult)
    async def set_config(self, info: Info, input: Given[SetConfigInput]) -> Any:
        more = content(input) | values(input, "key", "value", "reference")
        version = input.expected_version or None
        async with info.context.db.write(act(info)) as session:
            before = await db.config.before(session, input.key, version)
            return await db.config.put(session, input.key, before, **more)

    @field("Remove a setting.", WRITE, graphql_type=RemoveConfigResult)
    async def remove_config(self, info: Info, input: Given[RemoveConfigInput]) -> Any:
        async with info.context.db.write(act(info)) as session:
            version = input.expected_version or None
            entry = await db.config.remove(session, input.key, version)
        return ConfigRemoved(removed_config_id=strawberry.ID(global_id(entry)))

    @field(
        "Store environment variables of the gateway as settings; of what may be a secret only "
        "where to find it.",
        WRITE,
        graphql_type=SyncEnvironmentResult,
    )
    async def sync_environment(self, info: Info, input: Given[SyncEnvironmentInput]) -> Any:
        if len(input.names) > db.config.MAX_VARIABLES:
            raise errors.Invalid("Name at most 100 variables at once.", "names")
        async with info.context.db.write(act(info)) as session:
            return await synced(session, input.names)

    @field("Create a feature flag or change it.", WRITE, graphql_type=SetFeatureFlagResult)
    async def set_feature_flag(self, info: Info, input: Given[SetFeatureFlagInput]) -> Any:
        async with info.context.db.write(act(info)) as session:
            return await db.config.put_flag(session, input.key, **values(input, "key"))
