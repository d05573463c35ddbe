"""Operations: queries of settings and feature flags, and mutations that change them."""

import os
from collections.abc import Collection
from typing import Annotated

import strawberry
from strawberry import Some

import db
from db import WriteSession
from db.config import writes
from db.core import errors
from db.core.table import Row
from db.core.values import validation
from graph.config.inputs import (
    DeleteConfigInput,
    DeleteFeatureFlagInput,
    LoadEnvironmentInput,
    SetConfigInput,
    SetFeatureFlagInput,
    SyncEnvironmentInput,
)
from graph.config.types import (
    LOAD,
    READ,
    WRITE,
    ConfigByKey,
    ConfigEntry,
    ConfigKind,
    FeatureFlag,
    FlagByKey,
)
from graph.core.context import Info, as_source
from graph.core.permission import PUBLIC, VALUE
from graph.core.types.connection import Argument, Connection, listed
from graph.core.types.field import argument, field, value
from graph.core.types.mutation import Input, audit_context, mutation, provided_fields
from graph.core.types.node import global_id
from graph.core.types.unset import or_none

NAME = validation.string(200, 0)
FlagKey = Annotated[str, argument("Key of the feature flag.", NAME)]
Key = Annotated[str, argument("Key of the setting.", NAME)]
CATEGORY = Argument(
    "category", str, "Return only settings of this category.", db.config.ConfigEntry.category, NAME
)
BY_KEY = {"key": db.config.ConfigEntry.key}

CONFIG_MANAGER = "config-manager"  # the source of the events

# Results


@value
class ConfigDeleted:
    """A setting was deleted."""

    deleted_config_id: strawberry.ID | None = field("ID of the deleted setting.", default=None)


@value
class FeatureFlagDeleted:
    """A feature flag was deleted."""

    deleted_feature_flag_id: strawberry.ID | None = field(
        "ID of the deleted feature flag.", default=None
    )


@value
class EnvironmentSynced:
    """How environment variables were stored. Each name is in one of the lists."""

    stored: list[str] = field(
        "Variables whose values were stored as settings `environment.<name>`. The operator lists "
        "them in DREAMNET_SYNC_ENVIRONMENT, and they do not look like secrets.",
        default_factory=list,
    )
    referenced: list[str] = field(
        "All other variables. Their settings hold only the names of the variables.",
        default_factory=list,
    )
    missing: list[str] = field(
        "Variables that are unset or empty. Their settings are unchanged.", default_factory=list
    )


@value
class EnvironmentLoaded:
    """Which environment variables are set on the gateway that handled the request. No value of
    one is read into the database, or shown."""

    references: list[str] = field(
        "References to the variables that are set and not empty, such as `env:OPENAI_API_KEY`.",
        default_factory=list,
    )
    missing: list[str] = field(
        "Names of the variables that are unset or empty.", default_factory=list
    )


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

    @field(
        "The feature flag with this key, or null if it does not exist.",
        READ,
        reveals={"key": db.config.FeatureFlag.key},
    )
    async def feature_flag(self, info: Info, key: FlagKey) -> FeatureFlag | None:
        return as_source(await FlagByKey.of(info).load(key))

    @field("The setting with this key, or null if it does not exist.", READ, reveals=BY_KEY)
    async def config(self, info: Info, key: Key) -> ConfigEntry | None:
        return as_source(await ConfigByKey.of(info).load(key))

    @field(
        "Whether a feature is on for the viewer. The result is stable for each user, and the same "
        "for all anonymous clients. False if the feature does not exist.",
        PUBLIC,
        reveals={"key": VALUE},
    )
    async def feature_enabled(self, info: Info, key: FlagKey) -> bool:
        flag = await FlagByKey.of(info).load(key)
        return db.config.is_on(flag, info.context.principal.user_id)


def value_columns(input: SetConfigInput) -> Row:
    """The columns for a value or a reference. Raises Invalid unless exactly one is given."""
    match input.value, or_none(input.reference):
        case Some() as given, None:
            return writes.plain(input.key, given.value)
        case None, str() as variable:
            return writes.reference(variable)
    raise errors.Invalid("Set either `value` or `reference`.", "value")


async def store_variables(
    session: WriteSession, names: list[str], storable: Collection[str]
) -> EnvironmentSynced:
    """Store the environment variables with these names. Raises Invalid."""
    await writes.lock_environment(session)
    found: dict[str | None, list[str]] = {kind: [] for kind in (*ConfigKind, None)}
    for name in dict.fromkeys(names):
        text, kind = os.environ.get(name, ""), None
        if text != "":  # an empty variable counts as not set, as in the gateway's own settings
            kind = (await writes.store_variable(session, name, text, name in storable)).kind
        found[kind].append(name)
    plain, references, missing = found.values()
    return EnvironmentSynced(stored=plain, referenced=references, missing=missing)


async def load_variables(session: WriteSession, names: list[str] | None) -> EnvironmentLoaded:
    """Look for environment variables: those with these names, of which references are stored, or
    those that settings refer to. Raises Invalid."""
    if names is None:
        known = await db.config.references(session)
        present = [name for name in known if os.environ.get(name, "") != ""]
    else:
        known = list(dict.fromkeys(names))
        present = (await store_variables(session, known, storable=())).referenced
    missing = [name for name in known if name not in set(present)]
    return EnvironmentLoaded(references=[f"env:{name}" for name in present], missing=missing)


async def _emit_update(session: WriteSession, about: Row) -> None:
    """Name what has changed, never its value."""
    await db.events.emit(session, "config_updated", CONFIG_MANAGER, about)


@strawberry.type
class Mutations:
    @mutation("Create or update a setting.", WRITE, ConfigEntry)
    async def set_config(self, info: Info, input: Input[SetConfigInput]) -> db.config.ConfigEntry:
        more = value_columns(input) | provided_fields(input, "key", "value", "reference")
        version = or_none(input.expected_version)
        async with info.context.db.write(audit_context(info)) as session:
            before = await writes.before(session, input.key, version)
            entry = await writes.put(session, input.key, before, **more)
            about = {"key": entry.key, "category": entry.category, "version": entry.version}
            await _emit_update(session, about)
            return entry

    @mutation("Delete a setting.", WRITE, ConfigDeleted)
    async def delete_config(self, info: Info, input: Input[DeleteConfigInput]) -> ConfigDeleted:
        async with info.context.db.write(audit_context(info)) as session:
            version = or_none(input.expected_version)
            entry = await writes.remove(session, input.key, version)
            about = {"key": entry.key, "category": entry.category, "deleted": True}
            await _emit_update(session, about)
        return ConfigDeleted(deleted_config_id=strawberry.ID(global_id(entry)))

    @mutation(
        "Store environment variables of the gateway as settings. Only references are stored for "
        "possible secrets.",
        WRITE,
        EnvironmentSynced,
    )
    async def sync_environment(
        self, info: Info, input: Input[SyncEnvironmentInput]
    ) -> EnvironmentSynced:
        async with info.context.db.write(audit_context(info)) as session:
            storable = info.context.storable_variables
            synced = await store_variables(session, input.names, storable)
            lists = {"stored": synced.stored, "referenced": synced.referenced}
            counts = {name: len(names) for name, names in lists.items()}
            about = {"synced_vars": sum(counts.values()), **counts}
            await db.events.emit(session, "env_sync_completed", CONFIG_MANAGER, about)
            return synced

    @mutation(
        "Record which environment variables of the gateway are set, for administrators. Variables "
        "that are named get a setting `environment.<name>` that refers to them. The environment "
        "itself does not change.",
        LOAD,
        EnvironmentLoaded,
    )
    async def load_environment(
        self, info: Info, input: Input[LoadEnvironmentInput]
    ) -> EnvironmentLoaded:
        async with info.context.db.write(audit_context(info)) as session:
            loaded = await load_variables(session, or_none(input.names))
            about = {"loaded": len(loaded.references), "missing": len(loaded.missing)}
            await db.events.emit(session, "env_load_completed", CONFIG_MANAGER, about)
            return loaded

    @mutation("Create or update a feature flag.", WRITE, FeatureFlag)
    async def set_feature_flag(
        self, info: Info, input: Input[SetFeatureFlagInput]
    ) -> db.config.FeatureFlag:
        async with info.context.db.write(audit_context(info)) as session:
            flag = await writes.put_flag(session, input.key, **provided_fields(input, "key"))
            await _emit_update(session, {"feature_flag": flag.key})
            return flag

    @mutation("Delete a feature flag. The feature is then off.", WRITE, FeatureFlagDeleted)
    async def delete_feature_flag(
        self, info: Info, input: Input[DeleteFeatureFlagInput]
    ) -> FeatureFlagDeleted:
        async with info.context.db.write(audit_context(info)) as session:
            flag = await writes.remove_flag(session, input.key)
            await _emit_update(session, {"feature_flag": flag.key, "deleted": True})
        return FeatureFlagDeleted(deleted_feature_flag_id=strawberry.ID(global_id(flag)))
