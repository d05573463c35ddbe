"""Events: the log of the system, in the order of storing."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import partial
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Index,
    Label,
    Numeric,
    and_,
    case,
    cast,
    func,
    insert,
    null,
    select,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.core.ids import floor, uuid7
from db.core.ingest.rows import row_validator
from db.core.ingest.statements import core_table, insert_batch
from db.core.ingest.writer import IngestTarget
from db.core.query.listing import ListSpec, columns_by_name
from db.core.query.time_range import Bucket, TimeRange, first_and_last
from db.core.rollup import Rollup, RollupTable, combined, summed
from db.core.session.database import ReadSession, ResultRow, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import (
    AnySelect,
    Expression,
    Id,
    Json,
    Table,
    Values,
    checked,
    choice,
    sequence,
)
from db.core.values import validation
from db.events import echo
from db.events.severities import EventSeverity as EventSeverity, severity_of


class EventGroup(StrEnum):
    """Fields by which event counts can be grouped."""

    EVENT_TYPE = "EVENT_TYPE"
    SOURCE = "SOURCE"
    SEVERITY = "SEVERITY"


SEVERE = "severity in ('WARNING', 'ERROR', 'CRITICAL')"


class Event(Table):
    """One thing that happened."""

    __tablename__ = "system_events"
    __table_args__ = (
        Index(None, "event_type", "id"),
        Index(None, "source", "id"),
        Index(
            "ix_system_events_of_users",
            *("user_id", "id"),
            postgresql_where=text("user_id is not null"),
        ),
        Index("ix_system_events_severe", "severity", "id", postgresql_where=text(SEVERE)),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    seq: Mapped[int] = sequence("system_events_seq")
    event_type: Mapped[str] = checked(validation.string())
    source: Mapped[str] = checked(validation.string())
    severity: Mapped[str] = choice(EventSeverity, "severity", server_default=EventSeverity.INFO)
    payload: Mapped[Json]
    timestamp: Mapped[datetime]
    metadata_: Mapped[Json] = mapped_column("metadata")
    user_id: Mapped[UUID | None] = mapped_column(info={"refers": "users"})


API_SERVER = "api-server"  # the source of the gateway's own request log
API_REQUEST = "api_request"
REQUEST_START = "request_start"
MAX_WEIGHT = 1_000_000  # of one event: writers of events could claim any other
COUNTED = timedelta(hours=24)

LISTING = ListSpec(
    Event,
    filters=columns_by_name(
        Event.event_type, Event.source, Event.severity, Event.user_id, Event.timestamp
    ),
    orders={"TIMESTAMP": Event.id},
    time=Event.timestamp,
    facets=columns_by_name(Event.severity),
    most=500,
)

GROUPS = {
    EventGroup.EVENT_TYPE: Event.event_type,
    EventGroup.SOURCE: Event.source,
    EventGroup.SEVERITY: Event.severity,
}


async def rates(session: ReadSession, seconds: float) -> tuple[datetime, Sequence[ResultRow]]:
    at = session.now()
    count = _count(func.sum(_weight()))
    recent = Event.id >= floor(at - timedelta(seconds=seconds)), Event.id < floor(at)
    statement = select(Event.event_type, Event.severity, count).where(*recent)
    by_count = count.desc(), Event.event_type, Event.severity
    counted = statement.group_by(Event.event_type, Event.severity).order_by(*by_count)
    return at, await session.rows(counted)


def _weight() -> Expression:
    """The number of events that one stands for: more than one for a recorded request."""
    weight = Event.payload["weight"]
    is_weighted = and_(
        Event.event_type == API_REQUEST,
        Event.source == API_SERVER,
        func.jsonb_typeof(weight) == "number",
    )
    within = func.least(func.greatest(cast(weight.astext, Numeric), 1), MAX_WEIGHT)
    return case((is_weighted, within), else_=1)


def _count(weights: Expression) -> Label[int]:
    return cast(weights, BigInteger).label("count")


SEVERITY = validation.one_of(tuple(EventSeverity), said="")


class EventSums(RollupTable):
    """Sums of the events of one type, source and severity in a period."""

    __tablename__ = "event_sums"

    event_type: Mapped[str] = checked(validation.string(), primary_key=True)
    source: Mapped[str] = checked(validation.string(), primary_key=True)
    severity: Mapped[str] = checked(SEVERITY, primary_key=True)
    weight: Mapped[Decimal]


ROLLUP = Rollup(
    EventSums,
    Event,
    Event.timestamp,
    (Bucket.HOUR, Bucket.DAY),
    keys={
        "event_type": Event.event_type,
        "source": Event.source,
        "severity": Event.severity,
    },
    measures={"weight": summed(_weight())},
)


Chosen = Mapping[EventGroup, Collection[str]]  # the values to count, by what is grouped
ALL: Chosen = {}


def counts(
    span: TimeRange,
    bucket: Bucket,
    groups: Collection[EventGroup],
    visibility: Visibility,
    chosen_values: Chosen = ALL,
) -> AnySelect:
    sums = combined(ROLLUP, span.or_last(COUNTED), visibility, bucket)
    among = [sums.key(GROUPS[group].name).in_(some) for group, some in chosen_values.items()]
    chosen = [sums.key(GROUPS[group].name) for group in EventGroup if group in groups]
    others = [null().label(GROUPS[group].name) for group in EventGroup if group not in groups]
    keys = [sums.bucket(bucket), *chosen]
    count = _count(sums.total("weight"))
    return select(*keys, *others, count).where(*among).group_by(*keys).order_by(*keys)


def logged(chosen_values: Chosen) -> AnySelect:
    """The times of the first and the last event."""
    among = [GROUPS[group].in_(some) for group, some in chosen_values.items()]
    return first_and_last(Event.timestamp, Event.id, *among)


async def emit(session: WriteSession, event_type: str, source: str, payload: Values) -> None:
    """Store an event of the gateway itself in a transaction, of its actor. Call it last:
    other events wait for the transaction."""
    user_id, now, severity = session.audit_context.actor, session.now(), severity_of(event_type)
    row = {"id": uuid7(now), "event_type": event_type, "source": source, "payload": payload}
    at = {"timestamp": now, "metadata": {"request_id": session.audit_context.request_id}}
    of = {"severity": severity, "user_id": user_id}
    await session.unrestricted().execute(insert(core_table(Event)).values({**row, **at, **of}))
    session.feeds.add("events")
    session.after_commit.append(partial(echo.write, severity, source, event_type))


LOGGED = IngestTarget(
    "events",
    (Event,),
    row_validator(Event),
    insert_batch(Event),
    feeds=("events",),
    stored=echo.write_row,
)
