"""Analytics: what users did, page by page."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Executable, Index, func, select
from sqlalchemy.orm import Mapped, mapped_column

from db.core.listing import Listing, by_name
from db.core.span import Span
from db.core.table import Id, Json, Table


class UserAction(Table):
    """One thing one user did."""

    __tablename__ = "user_analytics"
    __table_args__ = (
        Index(None, "user_id", "id"),
        Index(None, "action", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    user_id: Mapped[UUID | None]
    action: Mapped[str]
    page: Mapped[str | None]
    session_id: Mapped[str | None]
    timestamp: Mapped[datetime]
    metadata_: Mapped[Json] = mapped_column("metadata")


COUNTED = timedelta(hours=24)

LISTING = Listing(
    UserAction,
    filters=by_name(
        UserAction.user_id,
        UserAction.action,
        UserAction.page,
        UserAction.session_id,
        UserAction.timestamp,
    ),
    orders={"TIMESTAMP": UserAction.id},
    time=UserAction.timestamp,
)


def counts(span: Span) -> Executable:
    """How often each action was done on each page, and by how many users, most often first; the
    last 24 hours by default."""
    count = func.count().label("count")
    users = func.count(UserAction.user_id.distinct()).label("user_count")
    return (
        select(UserAction.action, UserAction.page, count, users)
        .where(*span.or_last(COUNTED).of(UserAction.id))
        .group_by(UserAction.action, UserAction.page)
        .order_by(count.desc(), UserAction.action, UserAction.page)
    )
