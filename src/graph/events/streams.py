"""Streams: events as they happen, and how many happen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db import Database, ReadSession
from db.core.filter import Condition
from db.core.reads import Reads
from graph.core.context import Info
from graph.core.field import argument
from graph.core.filter import SUBSCRIPTION_BOUNDS, condition
from graph.core.series import Series
from graph.core.stream import Conditions, Shown, Source, Update, message, rows, stream
from graph.events.inputs import EventFilter
from graph.events.types import RATED_SECONDS, READ, Event, EventRates

Filter = Annotated[
    EventFilter | None,
    argument(f"Only events that match; all if left out. {SUBSCRIPTION_BOUNDS.description}"),
]


@message(alike=True)
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

    async def shown(self, database: Database, events: Sequence[Any], reads: Reads) -> Shown:
        return Shown(
            await db.events.LISTING.matching_rows(self.where, events, reads, database.sight)
        )


@dataclass(frozen=True, slots=True)
class Rates(Series):
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
    async def event_rates(self, _info: Info) -> Series:
        return Rates()
