"""Events: what happened in the system, one by one and counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db import Database, ReadSession
from db.core.filter import Condition
from db.core.item import Item
from db.core.span import points
from db.events import EventGroup, EventSeverity
from graph.core.connection import Connection, listed
from graph.core.context import Info
from graph.core.field import enum, field, related, value
from graph.core.filter import condition, filters, orders
from graph.core.mutation import Given
from graph.core.node import IdOf, Node, load, node, parse_id
from graph.core.permission import scope
from graph.core.reads import Reads
from graph.core.reporting import (
    BATCH_KEY,
    KEY,
    Reporting,
    many_result,
    one_result,
    reported,
)
from graph.core.scalars import BigInt
from graph.core.series import Series
from graph.core.span import Bucket, From, To, Width, span
from graph.core.stream import Conditions, Shown, Source, Update, message, rows, stream
from graph.users import User, UserById

READ, WRITE = scope("events:read"), scope("events:write")

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


@node(db.events.Event, access=READ, alike=True)
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


@value
class EventRate:
    """How many events of one type and severity happened lately."""

    event_type: str = field("Type of the events.")
    severity: EventSeverity = field("Their severity.")
    count: BigInt = field("Number of events within `seconds`.")
    per_second: float = field(
        "Events per second, on average.", resolver=lambda root: root.count / RATED_SECONDS
    )


@value
class EventRates:
    """How many events happened within the last seconds, by the time they tell."""

    at: datetime = field("The end of those seconds.")
    seconds: int = field("How many seconds are looked at.")
    rates: list[EventRate] = field(
        "By type and severity, most events first; none without events.", cost=0
    )


@message(alike=True)
class EventsUpdate(Update):
    """What happened, every event in the order of storing."""

    events: list[Event] = rows("The events, oldest first; none in a SNAPSHOT.")


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


@reported
class EventFields:
    """What every event has."""

    event_type: str = field("What kind of thing happened, 1 to 200 characters.")
    source: str = field("Who reports it, for example the name of a service, 1 to 200 characters.")
    payload: JSON | None = field("The facts, in the terms of the source.", default=UNSET)
    metadata: JSON | None = field("What there is to say about the report.", default=UNSET)
    user_id: strawberry.ID | None = field("Id of the user who caused it.", default=UNSET)
    timestamp: datetime | None = field("When it happened; now by default.", default=UNSET)
    idempotency_key: str | None = field(KEY, default=UNSET)


@reported
class LogEventInput(EventFields):
    """Something that happened in the system."""

    severity: EventSeverity = field("How much it matters.", default=EventSeverity.INFO)


@reported
class EventItem(EventFields):
    """One event of a batch."""

    severity: str = field(
        "How much it matters, one of EventSeverity; anything else refuses this item alone.",
        default="INFO",
    )


@reported
class LogEventsInput:
    """Events, stored as far as each is acceptable."""

    events: list[EventItem] = field("At most 1,000 events.")
    idempotency_key: str | None = field(BATCH_KEY, default=UNSET)


@reported
class LogErrorInput:
    """An error of a program, logged as an event of the type `system_error`."""

    message: str = field("What went wrong.")
    stack: str | None = field("Where it went wrong, as the program prints it.", default=UNSET)
    context: JSON | None = field("What else is known.", default=UNSET)
    source: str = field("Who reports it, 1 to 200 characters.", default="system")
    timestamp: datetime | None = field("When it went wrong; now by default.", default=UNSET)
    idempotency_key: str | None = field(KEY, default=UNSET)


# Results

LogEventResult = one_result("LogEventResult")
LogEventsResult = many_result("LogEventsResult")
LogErrorResult = one_result("LogErrorResult")


def _event(_: Info, given: Any, at: datetime, key: str | None) -> Item:
    user = given.get("userId")
    row = {
        "event_type": given["eventType"],
        "source": given["source"],
        "severity": given["severity"],
        "payload": _known(given.get("payload")),
        "timestamp": at,
        "metadata": _known(given.get("metadata")),
        "user_id": parse_id(user, db.users.User)[1] if user else None,
    }
    return db.events.LOGGED.rules.item(row, at, key)


def _error(info: Info, given: Any, at: datetime, key: str | None) -> Item:
    facts = {name: given.get(name) for name in ("message", "stack", "context")}
    event = {"eventType": "system_error", "severity": EventSeverity.ERROR, "payload": facts}
    return _event(info, {**event, "source": given["source"]}, at, key)


def _known(value: Any) -> Any:
    return {} if value is None else value


EVENTS = Reporting(db.events.LOGGED, db.events.Event.Record, _event)
ERRORS = Reporting(db.events.LOGGED, db.events.Event.Record, _error)

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


@strawberry.type
class Mutations:
    @field("Log something that happened.", WRITE, graphql_type=LogEventResult)
    async def log_event(self, info: Info, input: Given[LogEventInput]) -> Any:
        return await EVENTS.one(info, input)

    @field("Log what happened, many events at once.", WRITE, graphql_type=LogEventsResult)
    async def log_events(self, info: Info, input: Given[LogEventsInput]) -> Any:
        return await EVENTS.many(info, input, "events")

    @field("Log an error of a program.", WRITE, graphql_type=LogErrorResult)
    async def log_error(self, info: Info, input: Given[LogErrorInput]) -> Any:
        return await ERRORS.one(info, input)


# Streams

RATED_SECONDS = 60
Filter = Annotated[
    EventFilter | None, strawberry.argument(description="Only events that match; all if left out.")
]


@dataclass(frozen=True, slots=True)
class Happening(Source):
    """Every event, or those that fulfil a condition."""

    feed = "events"
    where: Condition | None

    def conditions(self) -> Conditions:
        return db.events.matching(self.where)

    def concerns(self, event: Any) -> bool:
        return db.events.matches(self.where, event) is not False

    async def shown(self, database: Database, events: Sequence[Any], _reads: Reads) -> Shown:
        return Shown(await db.events.chosen(database, self.where, events))


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
        where = condition(filter) if filter else None
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
