"""Sums: what each user spent on tests, by model and day."""

from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, Index, func, null, select, true
from sqlalchemy.orm import Mapped, mapped_column

from db.ai_tests import AiTest
from db.ai_tests.sums import USED
from db.core.query.time_range import Bucket, TimeRange
from db.core.rollup import Rollup, RollupTable, combined
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Count, checked
from db.core.values import validation

ALL_TESTS = Visibility(shared=True)


class UserModelSums(RollupTable):
    """Sums of the tests of one user with one model in a period, in any status and of all dreams."""

    __tablename__ = "user_model_sums"
    __table_args__ = (Index(None, "user_id", "period"),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    provider: Mapped[str] = checked(validation.PROVIDER, primary_key=True)
    model: Mapped[str] = checked(validation.string(), primary_key=True)
    any_count: Mapped[Count]
    any_tokens: Mapped[Decimal | None]
    any_cost: Mapped[Decimal | None]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else visibility.owns(cls.user_id)


ROLLUP = Rollup(
    UserModelSums,
    AiTest,
    AiTest.created_at,
    (Bucket.DAY, Bucket.MONTH),
    keys={"user_id": AiTest.user_id, "provider": AiTest.provider, "model": AiTest.model},
    measures=USED,
    where=(AiTest.user_id.is_not(None),),
)


def of_user(
    user_id: UUID, span: TimeRange, bucket: Bucket | None = None, *, by_model: bool = False
) -> AnySelect:
    """Tests, tokens and cost of one user: of each bucket in the order of time, or of each model,
    highest cost first. For sessions without row rules: the dreams of a user's tests may be hidden
    from the user by now."""
    sums = combined(ROLLUP, span, ALL_TESTS, bucket)
    start = [] if bucket is None else [sums.bucket(bucket)]
    model = [sums.key(name).label(name) for name in ("provider", "model") if by_model]
    keys, cost = [*start, *model], func.coalesce(sums.total("any_cost"), 0).label("total_cost")
    absent = [null().label(name) for name in NAMES if name not in {key.name for key in keys}]
    tokens = func.coalesce(sums.total("any_tokens"), 0).label("total_tokens")
    count = sums.total("any_count").label("test_count")
    return (
        select(*keys, *absent, count, tokens, cost)
        .where(sums.key("user_id") == user_id)
        .group_by(*keys)
        .having(count > 0)
        .order_by(*start, cost.desc(), *keys)
    )


NAMES = ("bucket", "provider", "model")


def by_user(span: TimeRange, bucket: Bucket | None = None) -> AnySelect:
    """The cost of the tests of each user, in each bucket if there is one, for sessions without row
    rules."""
    sums = combined(ROLLUP, span, ALL_TESTS, bucket)
    start = [] if bucket is None else [sums.bucket(bucket)]
    keys = sums.key("user_id").label("user_id"), *start
    return select(*keys, sums.total("any_cost").label("spent")).group_by(*keys)
