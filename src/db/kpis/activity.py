"""Activity: the days on which users tracked an action or started a test, from rollups."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, false, func, select, true, union
from sqlalchemy.orm import Mapped, mapped_column

from db.ai_tests import AiTest
from db.analytics import UserAction
from db.core.query.time_range import Bucket, TimeRange, bucket_start
from db.core.rollup import Rollup, RollupTable, combined, counted
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Count
from db.users import User

ALL = Visibility(shared=True)
WIDTHS = (Bucket.DAY, Bucket.MONTH)
WEEK = timedelta(weeks=1)


class OfUser(RollupTable):
    """The number of rows of one user in a period."""

    __abstract__ = True

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    count: Mapped[Count]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else false()


class UserActionSums(OfUser):
    """The number of actions of one user in a period."""

    __tablename__ = "user_action_sums"


class UserTestSums(OfUser):
    """The number of tests of one user in a period."""

    __tablename__ = "user_test_sums"


OF_ACTIONS = Rollup(
    UserActionSums,
    UserAction,
    UserAction.timestamp,
    WIDTHS,
    keys={"user_id": UserAction.user_id},
    measures={"count": counted()},
    where=(UserAction.user_id.is_not(None),),
)
OF_TESTS = Rollup(
    UserTestSums,
    AiTest,
    AiTest.created_at,
    WIDTHS,
    keys={"user_id": AiTest.user_id},
    measures={"count": counted()},
    where=(AiTest.user_id.is_not(None),),
)


def active(span: TimeRange, bucket: Bucket | None = None) -> AnySelect:
    """The number of users who were active, in all or by bucket."""
    users = union(*_users(span, bucket)).subquery("users")
    start = [users.c.bucket] if bucket else []
    count = func.count().label("active_users")
    return select(*start, count).select_from(users).group_by(*start).order_by(*start)


def _users(span: TimeRange, bucket: Bucket | None) -> Iterator[AnySelect]:
    """The different users of each source, with the start of the bucket if there is one."""
    for rollup in (OF_ACTIONS, OF_TESTS):
        sums = combined(rollup, span, ALL, bucket)
        start = [sums.bucket(bucket)] if bucket else []
        yield select(*start, sums.key("user_id").label("user_id")).distinct()


def retention(span: TimeRange) -> AnySelect:
    """By the week in which users joined: how many were active in that and each later week."""
    new = select(User.id, bucket_start(User.created_at, Bucket.WEEK)).where(*span.of(User.id))
    joined = new.subquery("joined")
    acted = union(*_users(span, Bucket.WEEK)).subquery("acted")
    weeks = joined.c.bucket.label("week"), acted.c.bucket.label("active_week")
    return (
        select(*weeks, func.count().label("users"))
        .join_from(joined, acted, acted.c.user_id == joined.c.id)
        .where(acted.c.bucket >= joined.c.bucket)
        .group_by(*weeks)
        .order_by(*weeks)
    )


def joined(span: TimeRange) -> AnySelect:
    """The number of users who joined, by week."""
    week = bucket_start(User.created_at, Bucket.WEEK)
    count = func.count().label("users")
    return select(week, count).where(*span.of(User.id)).group_by(week).order_by(week)
