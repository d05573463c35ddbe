"""Operations: queries of events, and mutations that log them."""

from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db.core.ingest.rows import RowTemplate
from db.core.query.time_range import series_points
from db.core.values import validation
from db.events import COUNTED
from db.events.severities import severity_of
from graph.core.context import Info, as_source
from graph.core.types.aggregate import Aggregate, aggregate
from graph.core.types.connection import listed
from graph.core.types.field import argument, field, names_of
from graph.core.types.ingestion import (
    IngestMutation,
    ItemInput,
    MakeTemplate,
    Stored,
    StoredItems,
)
from graph.core.types.menu import menu
from graph.core.types.mutation import Input, mutation
from graph.core.types.node import identified, parse_id
from graph.core.types.time_range import Bucket, From, To, Width, reveals_time, window
from graph.events.inputs import (
    BY_TYPE_AND_SOURCE,
    GroupBy,
    LogErrorInput,
    LogEventInput,
    LogEventsInput,
)
from graph.events.types import (
    READ,
    WRITE,
    Event,
    EventCount,
    EventGroup,
    EventSeverity,
    SystemEventConnection,
)

NAMES = validation.each(1_000, validation.string(200, 0))
EventTypes = Annotated[
    list[str] | None, argument("Only events of these types; all if omitted.", NAMES)
]
Sources = Annotated[
    list[str] | None, argument("Only events of these sources; all if omitted.", NAMES)
]
Severities = Annotated[
    list[EventSeverity] | None,
    argument("Only events of these severities; all if omitted.", validation.items(10)),
]


def _event(given: ItemInput) -> RowTemplate:
    user, severity = given.get("userId"), given.get("severity")
    row = {
        "event_type": given["eventType"],
        "source": given["source"],
        "severity": severity_of(given["eventType"]) if severity is None else severity,
        "payload": _known(given.get("payload")),
        "metadata": _known(given.get("metadata")),
        "user_id": None if user is None else parse_id(user, db.users.User, "user_id")[1],
    }
    return db.events.LOGGED.validator.template(row)


def _error(given: ItemInput) -> RowTemplate:
    facts = {name: given.get(name) for name in ("message", "stack", "context")}
    event = {"eventType": "system_error", "severity": EventSeverity.ERROR, "payload": facts}
    return _event({**event, "source": given["source"]})


def _known(value: object) -> object:
    return {} if value is None else value


def _logging(template: MakeTemplate, input: type) -> IngestMutation:
    record = db.events.Event.Record
    return IngestMutation.of_template(db.events.LOGGED, record, template, names_of(input))


EVENTS, ERRORS = _logging(_event, LogEventInput), _logging(_error, LogErrorInput)


@strawberry.type
class Queries:
    events: SystemEventConnection = listed(
        db.events.LISTING, "Events, newest first.", READ, stale_ok=True
    )

    event_types: list[str] = menu(db.events.Event.event_type, "Types of all events.", READ)
    event_sources: list[str] = menu(db.events.Event.source, "Sources of all events.", READ)

    event: Event | None = identified(
        db.events.Event, "The event with this ID, or null if it does not exist.", READ
    )

    @field(
        "Number of events over time and by group, oldest first. Buckets without events are "
        "omitted. At most 10,000 points; the last 24 hours by default.",
        READ,
        cost=100,
        reveals=reveals_time(db.events.Event.timestamp)
        | {
            "groupBy": tuple(db.events.GROUPS.values()),
            "eventTypes": db.events.Event.event_type,
            "sources": db.events.Event.source,
            "severities": db.events.Event.severity,
        },
        stale_ok=True,
    )
    async def event_counts(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        bucket: Width = Bucket.HOUR,
        group_by: GroupBy = BY_TYPE_AND_SOURCE,
        event_types: EventTypes = None,
        sources: Sources = None,
        severities: Severities = None,
    ) -> Aggregate[EventCount]:
        span, visibility = await window(info, from_, to, COUNTED), info.context.db.visibility
        given = zip(EventGroup, (event_types, sources, severities), strict=True)
        chosen = {group: values for group, values in given if values is not None}
        counts = db.events.counts(span, bucket, group_by, visibility, chosen)
        return as_source(
            await aggregate(info, span, counts, db.events.logged(chosen), series_points)
        )


@strawberry.type
class Mutations:
    @mutation("Log an event.", WRITE, Stored, shows=EVENTS.one_item)
    async def log_event(self, info: Info, input: Input[LogEventInput]) -> Stored:
        return await EVENTS.one(info, input)

    @mutation("Log several events.", WRITE, StoredItems)
    async def log_events(self, info: Info, input: Input[LogEventsInput]) -> StoredItems:
        return await EVENTS.many(info, input, "events")

    @mutation("Log an error of a program.", WRITE, Stored, shows=ERRORS.one_item)
    async def log_error(self, info: Info, input: Input[LogErrorInput]) -> Stored:
        return await ERRORS.one(info, input)
