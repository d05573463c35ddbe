"""Operations: reading and counting events, and taking what is logged."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db.core import check
from db.core.item import Item
from db.core.span import points
from graph.core.connection import Connection, listed
from graph.core.context import Info
from graph.core.field import argument, field, names_of
from graph.core.mutation import Given
from graph.core.node import IdOf, load, parse_id
from graph.core.reporting import Reporting, many_result, one_result
from graph.core.span import Bucket, From, To, Width, span, times
from graph.events.inputs import LogErrorInput, LogEventInput, LogEventsInput
from graph.events.types import READ, WRITE, Event, EventCount, EventGroup, EventSeverity

GroupBy = Annotated[
    list[EventGroup],
    argument("What to count by beside time; with nothing, all together.", check.items(10)),
]
BY_TYPE_AND_SOURCE = [EventGroup.EVENT_TYPE, EventGroup.SOURCE]

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
        "user_id": None if user is None else parse_id(user, db.users.User, "user_id")[1],
    }
    return db.events.LOGGED.rules.item(row, at, key)


def _error(info: Info, given: Any, at: datetime, key: str | None) -> Item:
    facts = {name: given.get(name) for name in ("message", "stack", "context")}
    event = {"eventType": "system_error", "severity": EventSeverity.ERROR, "payload": facts}
    return _event(info, {**event, "source": given["source"]}, at, key)


def _known(value: Any) -> Any:
    return {} if value is None else value


EVENTS = Reporting(db.events.LOGGED, db.events.Event.Record, _event, names_of(LogEventInput))
ERRORS = Reporting(db.events.LOGGED, db.events.Event.Record, _error, names_of(LogErrorInput))


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
        reveals=times(db.events.Event.timestamp) | {"groupBy": tuple(db.events.GROUPS.values())},
    )
    async def event_counts(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        bucket: Width = Bucket.HOUR,
        group_by: GroupBy = BY_TYPE_AND_SOURCE,
    ) -> list[EventCount]:
        counts = db.events.counts(await span(info, from_, to), bucket, group_by)
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
