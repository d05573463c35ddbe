"""Inputs: what is asked of events, and what is logged."""

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.core.values import validation
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.ingestion import TIME, batch, batch_key, ingest_input, key
from graph.events.types import EventSeverity
from graph.users import USER

LONG = validation.string(validation.MAX_TEXT, 0)


@filters(db.events.LISTING)
class EventFilter:
    """Conditions on events; all given must hold."""


@orders(db.events.LISTING)
class EventOrder:
    """Order of events."""


@checked(db.events.Event)
@ingest_input
class EventFields:
    """What every event has."""

    event_type: str = field("What kind of thing happened.")
    source: str = field("Who reports it, for example the name of a service.")
    payload: JSON | None = field("The facts, in the terms of the source.", default=UNSET)
    metadata: JSON | None = field("What there is to say about the report.", default=UNSET)
    user_id: strawberry.ID | None = field(
        "Id of the user who caused it.", check=USER, default=UNSET
    )
    timestamp: datetime | None = field(f"When it happened. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class LogEventInput(EventFields):
    """Something that happened in the system."""

    severity: EventSeverity = field("How much it matters.", default=EventSeverity.INFO)


@checked(db.events.Event)
@ingest_input
class EventItem(EventFields):
    """One event of a batch."""

    severity: str = field(
        "How much it matters, one of EventSeverity; anything else refuses this item alone.",
        default="INFO",
    )


@ingest_input
class LogEventsInput:
    """Events, stored as far as each is acceptable."""

    events: list[EventItem] = batch("The events.")
    idempotency_key: str | None = batch_key()


@checked(db.events.Event)
@ingest_input
class LogErrorInput:
    """An error of a program, logged as an event of the type `system_error`."""

    message: str = field("What went wrong.", check=LONG)
    stack: str | None = field(
        "Where it went wrong, as the program prints it.", check=LONG, default=UNSET
    )
    context: JSON | None = field("What else is known.", check=validation.PART, default=UNSET)
    source: str = field("Who reports it.", default="system")
    timestamp: datetime | None = field(f"When it went wrong. {TIME}", default=UNSET)
    idempotency_key: str | None = key()
