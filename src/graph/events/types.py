"""Types: events, and their counts."""

from datetime import datetime

from strawberry.scalars import JSON

import db
from db.core.values.json import JsonObject
from db.events import EventGroup as EventGroup, EventSeverity as EventSeverity
from graph.core.permission import scope
from graph.core.types.connection import Connection
from graph.core.types.facets import Facet, facet, facets
from graph.core.types.field import enum, field, related, value
from graph.core.types.node import Node, node, with_ids
from graph.core.types.scalars import BigInt
from graph.users import User, UserById

READ, WRITE = scope("events:read"), scope("events:write")
RATED_SECONDS = 60
WEIGHED = "An `api_request` event of the gateway counts as the requests it stands for."

enum(
    EventSeverity,
    DEBUG="Detailed information for debugging.",
    INFO="Normal operation.",
    WARNING="Unexpected, but nothing failed.",
    ERROR="An operation failed.",
    CRITICAL="A failure that affects other parts of the system and needs immediate attention.",
)

enum(
    EventGroup,
    EVENT_TYPE="Group by the type of the event.",
    SOURCE="Group by the source of the event.",
    SEVERITY="Group by the severity of the event.",
)


def _payload(root: db.events.Event) -> JsonObject:
    """Show the IDs in events of the gateway itself as global IDs. Payloads of clients stay
    unchanged."""
    payload = root.payload
    match root.event_type, payload:
        case "user_action", {"user_id": str(key)} if key == str(root.user_id):
            return with_ids(payload, user_id=db.users.User)
        case db.events.API_REQUEST, {"key_id": str()} if root.source == db.events.API_SERVER:
            return with_ids(payload, key_id=db.api_keys.ApiKey)
    return payload


@node(db.events.Event, access=READ, viewer_independent=True, name="SystemEvent")
class Event(Node):
    """An event in the system."""

    seq: BigInt = field("Sequence number among all events, in the order they were stored.")
    event_type: str = field("Type of the event, for example `deployed`.")
    source: str = field("Source of the event, for example the name of a service.")
    severity: EventSeverity = field("Severity of the event.")
    payload: JSON = field(
        "Data of the event, as free-form JSON.",
        resolver=_payload,
        reads=("event_type", "source", "user_id", "payload"),
    )
    timestamp: datetime = field("When the event happened.")
    metadata: JSON = field("Metadata about the event, as free-form JSON.")
    user: User | None = related(
        UserById, "user_id", description="The user who caused the event. Null if no user did."
    )


@value
class EventCount:
    """Number of events of one group within one bucket of time."""

    bucket: datetime = field("Start of the bucket, in UTC.")
    event_type: str | None = field("Type of the events. Null if not grouped by type.")
    source: str | None = field("Source of the events. Null if not grouped by source.")
    severity: EventSeverity | None = field(
        "Severity of the events. Null if not grouped by severity."
    )
    count: BigInt = field(f"Number of events. {WEIGHED}")


@value
class RecentEventCounts:
    """Numbers of events of the last 24 hours."""

    at: datetime = field("When the events were counted.")
    counts: list[EventCount] = field(
        "Number of events by hour and group, oldest first. Hours without events are omitted.",
        cost=0,
    )


@value
class EventRate:
    """Rate of events of one type and severity."""

    event_type: str = field("Type of the events.")
    severity: EventSeverity = field("Severity of the events.")
    count: BigInt = field(f"Number of events within the last `seconds`. {WEIGHED}")
    per_second: float = field(
        "Events per second, on average.", resolver=lambda root: root.count / RATED_SECONDS
    )


@value
class EventRates:
    """Rates of events within the last seconds, by the timestamps of the events."""

    at: datetime = field("End of the measured period.")
    seconds: int = field("Length of the measured period in seconds.")
    rates: list[EventRate] = field(
        "Rates by type and severity, most events first. Empty without events.", cost=0
    )


@value
class SystemEventFacets:
    """Numbers of events by the values of some fields."""

    by_severity: list[Facet[EventSeverity]] = facet("severity", EventSeverity)


@value
class SystemEventConnection(Connection[Event]):
    """A page of a list of events."""

    facets: SystemEventFacets = facets(SystemEventFacets)
