"""Subscriptions: events, and event rates."""

from dataclasses import dataclass
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db import ReadSession
from db.core.query.time_range import Bucket, TimeRange, series_points
from db.core.session.row_rules import Visibility
from graph.core.context import Info, as_source
from graph.core.subscriptions.filtered_source import FilteredSource, filter_condition
from graph.core.subscriptions.polled import ChangingSource, PolledSource
from graph.core.subscriptions.source import Update, message, rows, stream
from graph.core.types.field import argument
from graph.core.types.filter import SUBSCRIPTION_BOUNDS
from graph.events.inputs import EventFilter, GroupBy
from graph.events.types import (
    RATED_SECONDS,
    READ,
    Event,
    EventGroup,
    EventRates,
    RecentEventCounts,
)

Filter = Annotated[
    EventFilter | None,
    argument(
        f"Follow only events that match; all events if omitted. {SUBSCRIPTION_BOUNDS.description}"
    ),
]


OPERATORS = Visibility(shared=True)  # who see all events


@message(viewer_independent=True)
class EventsUpdate(Update):
    """New events. Every event is sent, in the order they were stored."""

    events: list[Event] = rows("The events, oldest first. Empty in a SNAPSHOT.")


@dataclass(frozen=True, slots=True)
class Happening(FilteredSource[db.events.Event]):
    """Every event, or those that match a filter."""

    feed = "events"
    listing = db.events.LISTING


@dataclass(frozen=True, slots=True)
class Rates(PolledSource):
    """Event counts of the last minute."""

    seconds = 5.0

    async def read(self, session: ReadSession) -> EventRates:
        at, counts = await db.events.rates(session, RATED_SECONDS)
        return EventRates(at=at, seconds=RATED_SECONDS, rates=as_source(list(counts)))


@dataclass(frozen=True, slots=True)
class Counts(ChangingSource):
    """The numbers of events of the last 24 hours, by some fields."""

    seconds = 5.0
    groups: frozenset[EventGroup]

    async def read(self, session: ReadSession) -> RecentEventCounts:
        at = session.now()
        span = TimeRange(None, None, at)
        counts = db.events.counts(span, Bucket.HOUR, self.groups, OPERATORS)
        points = await series_points(session, counts)
        return RecentEventCounts(at=at, counts=as_source(list(points)))


@strawberry.type
class Subscriptions:
    @stream(EventsUpdate, "Events as they happen. No event is skipped.", READ)
    async def events(self, _info: Info, filter: Filter = UNSET) -> Happening:
        return Happening(filter_condition(db.events.LISTING, filter))

    @stream(
        EventRates,
        "Event counts of the last minute, every 5 seconds.",
        READ,
        cost=100,
        resumes=False,
    )
    async def event_rates(self, _info: Info) -> PolledSource:
        return Rates()

    @stream(
        RecentEventCounts,
        "Numbers of events of the last 24 hours: whenever one changes, at most once in 5 seconds, "
        "and every 10 seconds otherwise.",
        READ,
        cost=100,
        resumes=False,
        reveals={"groupBy": tuple(db.events.GROUPS.values())},
    )
    async def event_counts(self, _info: Info, group_by: GroupBy) -> PolledSource:
        return Counts(frozenset(group_by))
