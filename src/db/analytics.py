"""Analytics: actions of users, by page."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

from sqlalchemy import Index, func, literal, select
from sqlalchemy.dialects.postgresql import Insert
from sqlalchemy.orm import Mapped, mapped_column

from db.core.ingest.rows import row_validator
from db.core.ingest.statements import core_table, insert_from, recordset
from db.core.ingest.writer import IngestTarget
from db.core.query.batch import Key, requested_keys
from db.core.query.listing import ListSpec, columns_by_name
from db.core.query.time_range import Bucket, TimeRange, first_and_last
from db.core.rollup import Rollup, RollupTable, combined, counted, least
from db.core.session.database import ReadSession
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Column, Count, Expression, Id, Json, Table, checked
from db.core.timeouts import Kind, of_kind
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


class ActionSums(RollupTable):
    """The number of times that an action happened on a page in a period. A page may be too long for
    a key, so its hash is one."""

    __tablename__ = "action_sums"

    action: Mapped[str] = checked(validation.string(), primary_key=True)
    page_hash: Mapped[str] = checked(validation.string(32, 0), primary_key=True)
    page: Mapped[str | None] = checked(validation.string(2_000, 0))
    count: Mapped[Count]


def _hash(page: Expression | Column) -> Expression:
    return func.coalesce(func.md5(page), "")


ROLLUP = Rollup(
    ActionSums,
    UserAction,
    UserAction.timestamp,
    (Bucket.DAY, Bucket.MONTH),
    keys={"action": UserAction.action, "page_hash": _hash(UserAction.page)},
    measures={"page": least(UserAction.page), "count": counted()},
)


def counts(span: TimeRange, visibility: Visibility) -> AnySelect:
    sums = combined(ROLLUP, span.or_last(COUNTED), visibility)
    action, page = sums.key("action"), sums.total("page")
    count = sums.total("count")
    return (
        select(action, page, count)
        .group_by(action, sums.key("page_hash"))
        .order_by(count.desc(), action, page)
    )


def times() -> AnySelect:
    """The times of the first and the last action."""
    return first_and_last(UserAction.timestamp, UserAction.id)


async def users(session: ReadSession, actions: Sequence[Key], span: TimeRange) -> dict[Key, int]:
    """The number of distinct users by action and page. Raises Invalid for a long time range: the
    users of two periods are not the sum of those of each, so all rows are read."""
    span = span.or_last(COUNTED)
    span.check_longest(LONGEST, ", or do not select `userCount`")
    asked = requested_keys((UserAction.action, UserAction.page), actions)
    page, nowhere = UserAction.page, asked.c.k1.is_(None)
    on_page = func.coalesce(page, "") == func.coalesce(asked.c.k1, ""), page.is_(None) == nowhere
    acted = select(asked.c.position, UserAction.user_id).distinct()
    each = acted.where(
        UserAction.action == asked.c.k0, *on_page, *span.of(UserAction.id)
    ).subquery()
    found = select(each.c.position, func.count(each.c.user_id)).group_by(each.c.position)
    rows = await session.rows(of_kind(Kind.AGGREGATE, found))
    return {actions[position - 1]: count for position, count in rows}


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
