"""Analytics: actions of users, by page."""

from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from sqlalchemy import Index, func, literal, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import Mapped, mapped_column

from db.core.ingest.rows import row_validator
from db.core.ingest.statements import core_table, insert_from, recordset
from db.core.ingest.writer import IngestTarget
from db.core.query.listing import ListSpec, columns_by_name
from db.core.query.time_range import TimeRange
from db.core.table import AnySelect, Id, Json, Table, checked
from db.core.values import validation
from db.events import Event


class UserAction(Table):
    """One action of one user."""

    __tablename__ = "user_analytics"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index(None, "action", "id"),
        Index(None, "session_id", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    user_id: Mapped[UUID | None] = mapped_column(info={"refers": "users"})
    action: Mapped[str] = checked(validation.string())
    page: Mapped[str | None] = checked(validation.string(2_000, 0))
    session_id: Mapped[str | None] = checked(validation.string(200, 0))
    timestamp: Mapped[datetime]
    metadata_: Mapped[Json] = mapped_column("metadata")


COUNTED = timedelta(hours=24)
LONGEST = timedelta(days=92)

LISTING = ListSpec(
    UserAction,
    filters=columns_by_name(
        UserAction.user_id,
        UserAction.action,
        UserAction.page,
        UserAction.session_id,
        UserAction.timestamp,
    ),
    orders={"TIMESTAMP": UserAction.id},
    time=UserAction.timestamp,
)


def counts(span: TimeRange) -> AnySelect:
    """Raises Invalid for a long time range: the users of two periods are not the sum of those of
    each, so all rows are read."""
    span = span.or_last(COUNTED)
    span.check_longest(LONGEST)
    count = func.count().label("count")
    users = func.count(UserAction.user_id.distinct()).label("user_count")
    return (
        select(UserAction.action, UserAction.page, count, users)
        .where(*span.of(UserAction.id))
        .group_by(UserAction.action, UserAction.page)
        .order_by(count.desc(), UserAction.action, UserAction.page)
    )


def _insert_actions_and_events() -> Insert:
    items = select(recordset(*UserAction.columns())).cte("items")
    action = insert_from(UserAction, dict(items.c.items()), items).returning(
        core_table(UserAction).c.id
    )
    new = action.cte("action")
    facts = [(name, items.c[name]) for name in ("user_id", "action", "page", "metadata")]
    event = {
        "id": items.c.id,
        "event_type": literal("user_action"),
        "source": literal("user-activity"),
        "payload": func.jsonb_build_object(*chain.from_iterable(facts)),
        "timestamp": items.c.timestamp,
        "user_id": items.c.user_id,
    }
    return insert_from(Event, event, items.join(new, new.c.id == items.c.id))


TRACKED = IngestTarget(
    "actions",
    (UserAction, Event),
    row_validator(UserAction),
    _insert_actions_and_events(),
)
