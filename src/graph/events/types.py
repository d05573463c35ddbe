"""Types: what happened, one by one and counted."""

from datetime import datetime
from typing import Any

from strawberry.scalars import JSON

import db
from db.events import EventGroup as EventGroup, EventSeverity as EventSeverity
from graph.core.permission import scope
from graph.core.types.field import enum, field, related, value
from graph.core.types.node import Node, node, with_ids
from graph.core.types.scalars import BigInt
from graph.users import User, UserById

READ, WRITE = scope("events:read"), scope("events:write")
RATED_SECONDS = 60

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


def _payload(root: Any) -> Any:
    """The ids in events of the gateway itself are stored as keys; what others log stays as sent."""
    payload = root.payload
    match root.event_type, payload:
        case "user_action", {"user_id": str(key)} if key == str(root.user_id):
            return with_ids(payload, user_id=db.users.User)
        case "api_request", {"key_id": str()} if root.source == db.events.API_SERVER:
            return with_ids(payload, key_id=db.api_keys.ApiKey)
    return payload


@node(db.events.Event, access=READ, viewer_independent=True)
class Event(Node):
    """Something that happened in the system."""

    seq: BigInt = field("Its place among all events, in the order of storing.")
    event_type: str = field("What kind of thing happened, for example `deployed`.")
    source: str = field("Who reported it, for example the name of a service.")
    severity: EventSeverity = field("How much it matters.")
    payload: JSON = field("The facts, in the terms of the source.", resolver=_payload)
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
