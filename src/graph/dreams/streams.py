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
from db.core.query.filter import Condition
from db.core.session.coalescing import ReadCoalescer
from db.core.session.row_rules import Visibility
from graph.core.context import Info
from graph.core.permission import PUBLIC
from graph.core.subscriptions.source import Update, message, removed, rows, stream
from graph.core.subscriptions.table_source import TableSource
from graph.core.types.field import argument
from graph.core.types.filter import SUBSCRIPTION_BOUNDS, condition
from graph.core.types.mutation import id_of_table
from graph.dreams.inputs import DREAM, DreamFilter
from graph.dreams.types import Dream, DreamById

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
