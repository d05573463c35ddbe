"""Streams: dreams as they change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db import Database
from db.core.errors import NotFound
from db.core.query.filter import Condition
from db.core.session.coalescing import ReadCoalescer
from db.core.session.row_rules import Visibility
from graph.core.context import Info
from graph.core.permission import PUBLIC
from graph.core.subscriptions.source import Source, Update, message, removed, rows, stream
from graph.core.subscriptions.table_source import TableSource
from graph.core.types.field import argument
from graph.core.types.filter import SUBSCRIPTION_BOUNDS, condition
from graph.core.types.mutation import id_of_table
from graph.dreams.inputs import DREAM, DreamFilter
from graph.dreams.types import Dream, DreamById

Filter = Annotated[
    DreamFilter | None,
    argument(f"Only dreams that match; all if left out. {SUBSCRIPTION_BOUNDS.description}"),
]
DreamId = Annotated[strawberry.ID, argument("The dream to follow.", DREAM)]


@message()
class DreamsUpdate(Update):
    """What dreams are now."""

    dreams: list[Dream] = rows("The dreams that changed, as they are now; none in a SNAPSHOT.")
    removed_ids: list[strawberry.ID] = removed(
        "Ids of dreams that are gone, that do not match any more, or that you may not see any more."
    )


@dataclass(frozen=True, slots=True)
class Dreams(TableSource):
    """Dreams that fulfil a filter."""

    table = db.dreams.Dream
    filter: Condition | None

    async def matching(
        self, rows: Sequence[Any], coalescer: ReadCoalescer, visibility: Visibility
    ) -> Sequence[Any]:
        return await db.dreams.LISTING.matching_rows(self.filter, rows, coalescer, visibility)

    async def left(
        self,
        database: Database,
        coalescer: ReadCoalescer,
        present: Collection[UUID],
        changes: Sequence[Any],
    ) -> Collection[UUID]:
        return await db.dreams.left(coalescer, database.visibility, self.filter, present, changes)


async def followed(info: Info, id: str) -> UUID:
    """The key of a dream whose rows are to be followed. Raises Invalid, and NotFound for a dream
    that is not there or not seen."""
    key = id_of_table(id, db.dreams.Dream)
    if await DreamById.of(info).load(key) is None:
        raise NotFound
    return key


@strawberry.type
class Subscriptions:
    @stream(
        DreamsUpdate,
        "Dreams as they are written, changed and removed. Whether one matches is judged when it "
        "changes itself, not when one of its tests does.",
        PUBLIC,
    )
    async def dreams(self, _info: Info, filter: Filter = UNSET) -> Source:
        where = condition(db.dreams.LISTING, filter, SUBSCRIPTION_BOUNDS)
        db.dreams.matching(where)  # refuses what cannot be asked
        return Dreams(where)
