"""Inputs: filters and orders of events, and the events that clients log."""

from datetime import datetime
from typing import Annotated

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db.core.values import validation
from graph.core.types.field import argument, checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.ingestion import TIME, batch, batch_key, ingest_input, key
from graph.events.types import EventGroup, EventSeverity
from graph.users import USER

LONG = validation.string(validation.MAX_TEXT, 0)
BY_TYPE = (
    "If omitted, the rules of the gateway derive it from the type: ERROR for `payment_failed`, "
    "INFO for most others."
)


@filters(db.events.LISTING)
class EventFilter:
    """Filter conditions on events. All given conditions must hold."""


@orders(db.events.LISTING)
class EventOrder:
    """Sort order for events."""


@checked(db.events.Event)
@ingest_input
class EventFields:
    """The fields that all events share."""

    event_type: str = field("Type of the event, for example `deployed`.")
    source: str = field("Source of the event, for example the name of a service.")
    payload: JSON | None = field("Data of the event, as free-form JSON.", default=UNSET)
    metadata: JSON | None = field("Metadata about the event, as free-form JSON.", default=UNSET)
    user_id: strawberry.ID | None = field(
        "ID of the user who caused the event.", check=USER, default=UNSET
    )
    timestamp: datetime | None = field(f"When the event happened. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


@ingest_input
class LogEventInput(EventFields):
    """The input fields to log an event."""

    severity: EventSeverity | None = field(f"Severity of the event. {BY_TYPE}", default=UNSET)


@checked(db.events.Event)
@ingest_input
class EventItem(EventFields):
    """The input fields of one event in a batch."""

    severity: str | None = field(
        "Severity of the event, a value of EventSeverity. Any other value rejects this item only. "
        f"{BY_TYPE}",
        default=UNSET,
    )


@ingest_input
class LogEventsInput:
    """The input fields to log several events. Each event is stored or rejected on its own."""

    events: list[EventItem] = batch("The events.")
    idempotency_key: str | None = batch_key()


@checked(db.events.Event)
@ingest_input
class LogErrorInput:
    """The input fields to log an error of a program, as an event of type `system_error`."""

    message: str = field("Error message.", check=LONG)
    stack: str | None = field("Stack trace of the error.", check=LONG, default=UNSET)
    context: JSON | None = field(
        "Additional context of the error, as free-form JSON.", check=validation.PART, default=UNSET
    )
    source: str = field("Source of the event, for example the name of a service.", default="system")
    timestamp: datetime | None = field(f"When the error happened. {TIME}", default=UNSET)
    idempotency_key: str | None = key()


GroupBy = Annotated[
    list[EventGroup],
    argument(
        "Fields to group by in addition to time. An empty list counts all events together.",
        validation.items(10),
    ),
]
BY_TYPE_AND_SOURCE = [EventGroup.EVENT_TYPE, EventGroup.SOURCE]
