"""Events: what happened in the system, one by one and counted."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.core.span import points
from db.events import EventGroup, EventSeverity
from graph.core.connection import Connection, listed
from graph.core.context import Info
from graph.core.field import enum, field, related, value
from graph.core.filter import filters, orders
from graph.core.node import IdOf, Node, load, node
from graph.core.permission import scope
from graph.core.scalars import BigInt
from graph.core.span import Bucket, From, To, Width, span
from graph.users import User, UserById

READ = scope("events:read")

# Types

enum(
    EventSeverity,
    DEBUG="Of interest only to those who look for a fault.",
    INFO="As expected.",
    WARNING="Not as expected, but nothing failed.",
    ERROR="Something failed.",
    CRITICAL="Something failed that others depend on; somebody has to act.",
)

enum(
    EventGroup,
    EVENT_TYPE="By the type of the event.",
    SOURCE="By who reported it.",
    SEVERITY="By how much it matters.",
)


@node(db.events.Event, access=READ)
class Event(Node):
    """Something that happened in the system."""

    seq: BigInt = field("Its place among all events, in the order of storing.")
    event_type: str = field("What kind of thing happened, for example `deployed`.")
    source: str = field("Who reported it, for example the name of a service.")
    severity: EventSeverity = field("How much it matters.")
    payload: JSON = field("The facts, in the terms of the source.")
    timestamp: datetime = field("When it happened.")
    metadata: JSON = field("What the source has to say about its report.")
    user: User | None = related(
        UserById, "user_id", description="Who caused it; null when it was nobody in particular."
    )


@value
class EventCount:
    """How many events of one group happened in one stretch of time."""

    bucket: datetime = field("Start of the stretch, in UTC.")
    event_type: str | None = field("Type of the events; null when not grouped by it.")
    source: str | None = field("Who reported them; null when not grouped by it.")
    severity: EventSeverity | None = field("Their severity; null when not grouped by it.")
    count: BigInt = field("Number of events.")


# Inputs

GroupBy = Annotated[
    list[EventGroup],
    strawberry.argument(description="What to count by beside time; with nothing, all together."),
]
BY_TYPE_AND_SOURCE = [EventGroup.EVENT_TYPE, EventGroup.SOURCE]


@filters(db.events.LISTING)
class EventFilter:
    """Conditions on events; all given must hold."""


@orders(db.events.LISTING)
class EventOrder:
    """Order of events."""


# Operations


@strawberry.type
class Queries:
    events: Connection[Event] = listed(db.events.LISTING, "Events, newest first.", READ)

    @field("The event with that id; null if there is none.", READ)
    async def event(self, info: Info, id: IdOf) -> Event | None:
        return await load(info, id, db.events.Event)

    @field(
        "How many events happened, over time and by group, oldest first; where there are none, "
        "there is no point. At most 10,000 points; the last 24 hours by default.",
        READ,
        cost=100,
    )
    async def event_counts(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        bucket: Width = Bucket.HOUR,
        group_by: GroupBy = BY_TYPE_AND_SOURCE,
    ) -> list[EventCount]:
        counts = db.events.counts(span(from_, to), bucket, group_by)
        async with info.context.db.read() as session:
            return await points(session, counts)
