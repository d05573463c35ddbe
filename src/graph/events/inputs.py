"""Inputs: what is asked of events, and what is logged."""

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from graph.core.field import field
from graph.core.filter import filters, orders
from graph.core.reporting import BATCH_KEY, KEY, reported
from graph.events.types import EventSeverity


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
