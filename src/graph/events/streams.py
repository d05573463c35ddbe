"""Subscriptions: events, and event rates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db import Database, ReadSession
from db.core.query.filter import Condition
from db.core.session.coalescing import ReadCoalescer
from graph.core.context import Info, as_source
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
    argument(
        f"Follow only events that match; all events if omitted. {SUBSCRIPTION_BOUNDS.description}"
    ),
]


@message(viewer_independent=True)
class EventsUpdate(Update):
    """New events. Every event is sent, in the order they were stored."""

    events: list[Event] = rows("The events, oldest first. Empty in a SNAPSHOT.")


@dataclass(frozen=True, slots=True)
class Happening(Source[db.events.Event]):
    """Every event, or those that match a filter."""

    feed = "events"
    where: Condition | None

    def conditions(self) -> Conditions:
        return db.events.matching(self.where)

    def is_relevant(self, event: db.events.Event) -> bool:
        return db.events.matches(self.where, event) is not False

    async def visible(
        self, database: Database, events: Sequence[db.events.Event], coalescer: ReadCoalescer
    ) -> VisibleRows:
        return VisibleRows(
            await db.events.LISTING.matching_rows(
                self.where, events, coalescer, database.visibility
            )
        )


@dataclass(frozen=True, slots=True)
class Rates(PolledSource):
    """Event counts of the last minute."""

    seconds = 5.0

    async def read(self, session: ReadSession) -> EventRates:
        at, counts = await db.events.rates(session, RATED_SECONDS)
        return EventRates(at=at, seconds=RATED_SECONDS, rates=as_source(list(counts)))


@strawberry.type
class Subscriptions:
    @stream(EventsUpdate, "Events as they happen. No event is skipped.", READ)
    async def events(self, _info: Info, filter: Filter = UNSET) -> Happening:
        where = condition(db.events.LISTING, filter, SUBSCRIPTION_BOUNDS)
        db.events.matching(where)  # raises Invalid for unsupported conditions
        return Happening(where)

    @stream(
        EventRates,
        "Event counts of the last minute, every 5 seconds.",
        READ,
        cost=100,
        resumes=False,
    )
    async def event_rates(self, _info: Info) -> PolledSource:
        return Rates()
