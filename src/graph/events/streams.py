"""Streams: events as they happen, and how many happen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db import Database, ReadSession
from db.core.query.filter import Condition
from db.core.session.coalescing import ReadCoalescer
from graph.core.context import Info
from graph.core.subscriptions.polled import PolledSource
from graph.core.subscriptions.source import (
    Conditions,
    Source,
    Update,
    VisibleRows,
    message,
    rows,
    stream,
)
from graph.core.types.field import argument
from graph.core.types.filter import SUBSCRIPTION_BOUNDS, condition
from graph.events.inputs import EventFilter
from graph.events.types import RATED_SECONDS, READ, Event, EventRates

Filter = Annotated[
    EventFilter | None,
    argument(f"Only events that match; all if left out. {SUBSCRIPTION_BOUNDS.description}"),
]


@message(viewer_independent=True)
class EventsUpdate(Update):
    """What happened, every event in the order of storing."""

    events: list[Event] = rows("The events, oldest first; none in a SNAPSHOT.")


@dataclass(frozen=True, slots=True)
class Happening(Source):
    """Every event, or those that fulfil a condition."""

    feed = "events"
    where: Condition | None

    def conditions(self) -> Conditions:
        return db.events.matching(self.where)

    def concerns(self, event: Any) -> bool:
        return db.events.matches(self.where, event) is not False

    async def visible(
        self, database: Database, events: Sequence[Any], coalescer: ReadCoalescer
    ) -> VisibleRows:
        return VisibleRows(
            await db.events.LISTING.matching_rows(
                self.where, events, coalescer, database.visibility
            )
        )


@dataclass(frozen=True, slots=True)
class Rates(PolledSource):
    """The events of the last minute, counted."""

    seconds = 5.0

    async def read(self, session: ReadSession) -> EventRates:
        at, counts = await db.events.rates(session, RATED_SECONDS)
        return EventRates(at=at, seconds=RATED_SECONDS, rates=list(counts))


@strawberry.type
class Subscriptions:
    @stream(EventsUpdate, "Events as they happen, none left out.", READ)
    async def events(self, _info: Info, filter: Filter = UNSET) -> Source:
        where = condition(db.events.LISTING, filter, SUBSCRIPTION_BOUNDS)
        db.events.matching(where)  # refuses what cannot be asked
        return Happening(where)

    @stream(
        EventRates,
        "How many events happened in the last minute, every 5 seconds.",
        READ,
        cost=100,
        resumes=False,
    )
    async def event_rates(self, _info: Info) -> PolledSource:
        return Rates()
