"""Subscriptions: settings and feature flags."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db import Database
from db.audit import Change
from db.core.session.coalescing import ReadCoalescer
from db.core.values import validation
from graph.config.types import READ, ConfigEntry, FeatureFlag
from graph.core.context import Info
from graph.core.subscriptions.source import Update, among, message, removed, rows, stream
from graph.core.subscriptions.table_source import TableSource
from graph.core.types.field import argument

NAMES = validation.each(100, validation.string(200, 0))
Keys = Annotated[
    list[str] | None,
    argument("Follow only settings with one of these keys; all settings if omitted.", NAMES),
]
Categories = Annotated[
    list[str] | None,
    argument("Follow only settings of these categories; all settings if omitted.", NAMES),
]


@message(viewer_independent=True)
class ConfigUpdate(Update):
    """Changes to settings."""

    entries: list[ConfigEntry] = rows(
        "The settings that changed, in their current state. All settings in a SNAPSHOT, sorted by "
        "key."
    )
    removed_ids: list[strawberry.ID] = removed(
        "IDs of settings that were removed or moved to another category."
    )


@message(viewer_independent=True)
class FeatureFlagsUpdate(Update):
    """Changes to feature flags."""

    flags: list[FeatureFlag] = rows(
        "The flags that changed, in their current state. All flags in a SNAPSHOT, sorted by key."
    )
    removed_ids: list[strawberry.ID] = removed("IDs of flags that were removed.")


@dataclass(frozen=True, slots=True)
class Settings(TableSource[db.config.ConfigEntry]):
    """Settings, restricted to some keys and categories if these are given."""

    table = db.config.ConfigEntry
    keys: frozenset[str] | None
    categories: frozenset[str] | None

    def matches(self, row: db.config.ConfigEntry) -> bool:
        has_key = self.keys is None or row.key in self.keys
        return has_key and (self.categories is None or row.category in self.categories)

    async def snapshot(self, database: Database) -> Sequence[db.config.ConfigEntry]:
        async with database.read() as session:
            return await db.config.entries(session, self.keys, self.categories)

    async def left_ids(
        self,
        database: Database,
        _coalescer: ReadCoalescer,
        _present: Collection[UUID],
        changes: Sequence[Change],
    ) -> Collection[UUID]:
        async with database.unrestricted().read() as session:
            return await db.config.left(session, self.keys, self.categories, changes)


@dataclass(frozen=True, slots=True)
class Flags(TableSource[db.config.FeatureFlag]):
    """All feature flags."""

    table = db.config.FeatureFlag

    async def snapshot(self, database: Database) -> Sequence[db.config.FeatureFlag]:
        async with database.read() as session:
            return await db.config.flags(session)

    async def left_ids(
        self,
        _database: Database,
        _coalescer: ReadCoalescer,
        _present: Collection[UUID],
        changes: Sequence[Change],
    ) -> Collection[UUID]:
        return {change.entity_id for change in changes}


@strawberry.type
class Subscriptions:
    @stream(
        ConfigUpdate,
        "Settings: a snapshot, then an update whenever one changes.",
        READ,
        reveals={"keys": db.config.ConfigEntry.key, "categories": db.config.ConfigEntry.category},
    )
    async def config_changes(
        self, _info: Info, keys: Keys = UNSET, categories: Categories = UNSET
    ) -> Settings:
        return Settings(among(keys), among(categories))

    @stream(
        FeatureFlagsUpdate, "Feature flags: a snapshot, then an update whenever one changes.", READ
    )
    async def feature_flags(self, _info: Info) -> Flags:
        return Flags()
