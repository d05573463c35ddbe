"""Subscriptions: dreams."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db import Database
from db.audit import Change
from db.core.errors import NotFound
from db.core.query.batch import ById
from db.core.query.filter import Condition
from db.core.session.coalescing import ReadCoalescer
from db.core.session.row_rules import Visibility
from db.core.table import Table
from graph.core.context import Info
from graph.core.permission import PUBLIC
from graph.core.subscriptions.source import (
    Conditions,
    Source,
    Update,
    VisibleRows,
    message,
    removed,
    rows,
    stream,
)
from graph.core.subscriptions.table_source import TableSource
from graph.core.types.field import argument
from graph.core.types.filter import SUBSCRIPTION_BOUNDS, condition
from graph.core.types.mutation import id_of_table
from graph.dreams.inputs import DREAM, DreamFilter
from graph.dreams.types import Dream, DreamById, DreamStage

Filter = Annotated[
    DreamFilter | None,
    argument(
        f"Follow only dreams that match; all dreams if omitted. {SUBSCRIPTION_BOUNDS.description}"
    ),
]
DreamId = Annotated[strawberry.ID, argument("ID of the dream to follow.", DREAM)]


@message()
class DreamsUpdate(Update):
    """Changes to dreams."""

    dreams: list[Dream] = rows(
        "The dreams that changed, in their current state. Empty in a SNAPSHOT."
    )
    removed_ids: list[strawberry.ID] = removed(
        "IDs of dreams that were deleted, no longer match, or are no longer visible to the viewer."
    )


@dataclass(frozen=True, slots=True)
class Dreams(TableSource[db.dreams.Dream]):
    """Dreams that match a filter."""

    table = db.dreams.Dream
    filter: Condition | None

    async def matching(
        self, rows: Sequence[db.dreams.Dream], coalescer: ReadCoalescer, visibility: Visibility
    ) -> Sequence[db.dreams.Dream]:
        return await db.dreams.LISTING.matching_rows(self.filter, rows, coalescer, visibility)

    async def left_ids(
        self,
        database: Database,
        coalescer: ReadCoalescer,
        present: Collection[UUID],
        changes: Sequence[Change],
    ) -> Collection[UUID]:
        return await db.dreams.left(coalescer, database.visibility, self.filter, present, changes)


@message()
class DreamTimelineUpdate(Update):
    """Stages of a dream that began."""

    stages: list[DreamStage] = rows(
        f"The stages, oldest first. In a SNAPSHOT, the latest {db.timeline.MOST}."
    )


@dataclass(frozen=True, slots=True)
class Timeline(Source[Change]):
    """The stages of one dream. Nothing is sent while the subscriber cannot see the dream."""

    feed = "changes"
    dream_id: UUID

    def conditions(self) -> Conditions:
        return db.timeline.changes_of(self.dream_id)

    def is_relevant(self, change: Change) -> bool:
        is_of_dream = change.noun == db.dreams.Dream.__tablename__
        return is_of_dream and change.entity_id == self.dream_id

    async def snapshot(self, database: Database) -> Sequence[Table]:
        async with database.unrestricted().read() as session:
            return await db.timeline.latest(session, self.dream_id)

    async def visible(
        self, database: Database, changes: Sequence[Change], coalescer: ReadCoalescer
    ) -> VisibleRows:
        dream = ById(db.dreams.Dream)
        if not await coalescer.of(dream, [self.dream_id], database.visibility):
            return VisibleRows([])
        ids = [change.audit_id for change in changes if change.audit_id]
        found = await coalescer.of(db.timeline.stages, ids)
        return VisibleRows([found[id] for id in ids if id in found])


async def followed(info: Info, id: str) -> UUID:
    """The key of the dream to follow. Raises Invalid, and NotFound unless the caller sees the
    dream."""
    key = id_of_table(id, db.dreams.Dream)
    if await DreamById.of(info).load(key) is None:
        raise NotFound
    return key


@strawberry.type
class Subscriptions:
    @stream(
        DreamsUpdate,
        "Dreams: an update whenever one is created, changed or deleted. The filter is evaluated "
        "when the dream itself changes, not when its tests do.",
        PUBLIC,
    )
    async def dreams(self, _info: Info, filter: Filter = UNSET) -> Dreams:
        where = condition(db.dreams.LISTING, filter, SUBSCRIPTION_BOUNDS)
        db.dreams.matching(where)  # raises Invalid for unsupported conditions
        return Dreams(where)

    @stream(
        DreamTimelineUpdate,
        "Stages of a dream: an update whenever one begins.",
        PUBLIC,
        reveals={"dreamId": PUBLIC},
    )
    async def dream_timeline(self, info: Info, dream_id: DreamId) -> Timeline:
        return Timeline(await followed(info, dream_id))
