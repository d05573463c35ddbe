"""Spending: tokens and cost of AI tests over time, by user and model."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Index,
    Label,
    Text,
    Uuid,
    any_,
    false,
    func,
    literal,
    null,
    select,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.ai_tests import MODEL, AiTest
from db.ai_tests.sums import ROLLUP, USED
from db.budgets import sums as by_user_and_model
from db.core.errors import Invalid
from db.core.query.time_range import Bucket, TimeRange, first_and_last
from db.core.rollup import AT, Pieces, Rollup, RollupTable, combined
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Count

SPENT = timedelta(days=30)
LONGEST_OF_TESTS = timedelta(days=92)
NOBODY = UUID(int=0)  # the user of tests without one: a key of sums is not null


class SpendGroup(StrEnum):
    """What spending is split by."""

    USER = "USER"
    MODEL = "MODEL"


BUCKETS = (Bucket.DAY, Bucket.WEEK, Bucket.MONTH)


class UserSums(RollupTable):
    """Sums of the tests of one user in a period, in any status and of all dreams."""

    __tablename__ = "user_sums"
    __table_args__ = (Index(None, "user_id", "period"),)

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    any_count: Mapped[Count]
    any_tokens: Mapped[Decimal | None]
    any_cost: Mapped[Decimal | None]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else false()


BY_USER = Rollup(
    UserSums,
    AiTest,
    AiTest.created_at,
    (Bucket.MONTH,),
    keys={"user_id": func.coalesce(AiTest.user_id, NOBODY)},
    measures=USED,
)


@dataclass(frozen=True, slots=True)
class Spending:
    """What is asked: the groups, the bucket of a series, and the tests that count."""

    groups: Collection[SpendGroup]
    bucket: Bucket | None = None
    users: Collection[UUID] | None = None
    providers: Collection[str] | None = None
    models: Collection[str] | None = None

    def __post_init__(self) -> None:
        if self.bucket is not None and self.bucket not in BUCKETS:
            raise Invalid("The bucket must be DAY, WEEK or MONTH.", "bucket")

    @property
    def is_by_user(self) -> bool:
        return SpendGroup.USER in self.groups or self.users is not None

    @property
    def is_of_users_alone(self) -> bool:
        """True if sums of users and months are enough."""
        is_of_models = self.providers is not None or self.models is not None
        is_finer = self.bucket in (Bucket.DAY, Bucket.WEEK)
        return not (SpendGroup.MODEL in self.groups or is_of_models or is_finer)


def spent(asked: Spending, span: TimeRange, visibility: Visibility) -> AnySelect:
    """Tokens and cost of each group, highest cost first, in each bucket. Raises Invalid for all
    users over a long time by model or day: their sums are nearly as many as the tests."""
    sums = _pieces(asked, span.or_last(SPENT), visibility)
    bucket = [] if asked.bucket is None else [sums.bucket(asked.bucket)]
    keys = [*bucket, *_keys(asked, sums)]
    cost = func.coalesce(sums.total("any_cost"), 0).label("total_cost")
    tokens = func.coalesce(sums.total("any_tokens"), 0).label("total_tokens")
    count = sums.total("any_count").label("test_count")
    absent = (null().label(name) for name in NAMES if name not in {key.name for key in keys})
    return (
        select(*keys, *absent, count, tokens, cost)
        .where(*_chosen(asked, sums))
        .group_by(*keys)
        .having(count > 0)
        .order_by(*bucket, cost.desc(), *keys)
    )


def times_spent(asked: Spending) -> AnySelect:
    """The times of the first and the last test."""
    return first_and_last(AiTest.created_at, AiTest.id, *_chosen_tests(asked))


NAMES = ("bucket", "user_id", "provider", "model")


def _pieces(asked: Spending, span: TimeRange, visibility: Visibility) -> Pieces:
    if not asked.is_by_user:
        return combined(ROLLUP, span, visibility, asked.bucket)
    if asked.is_of_users_alone and visibility.shared:
        return combined(BY_USER, span, visibility, asked.bucket)
    if asked.users is not None and visibility.shared:
        return combined(by_user_and_model.ROLLUP, span, visibility, asked.bucket)
    span.check_longest(
        LONGEST_OF_TESTS, ", or ask for models, for users by month, or for `userIds`"
    )
    return _tests(span)


def _tests(span: TimeRange) -> Pieces:
    used = [each.of_row.label(name) for name, each in USED.items()]
    tests = select(AiTest.created_at.label(AT), AiTest.user_id, *MODEL, *used)
    return Pieces(BY_USER, tests.where(*span.of(AiTest.id)).subquery("tests"))


def _keys(asked: Spending, sums: Pieces) -> Iterator[Label[object]]:
    if SpendGroup.USER in asked.groups:
        yield func.nullif(sums.key("user_id"), NOBODY).label("user_id")
    if SpendGroup.MODEL in asked.groups:
        yield from (sums.key(name).label(name) for name in ("provider", "model"))


def _chosen(asked: Spending, sums: Pieces) -> Iterator[ColumnElement[bool]]:
    if asked.users is not None:
        yield sums.key("user_id") == any_(literal(list(asked.users), ARRAY(Uuid)))
    for name, among in (("provider", asked.providers), ("model", asked.models)):
        if among is not None:
            yield sums.key(name) == any_(literal(list(among), ARRAY(Text)))


def _chosen_tests(asked: Spending) -> Iterator[ColumnElement[bool]]:
    users, providers, models = asked.users, asked.providers, asked.models
    columns = (AiTest.user_id, users), (AiTest.provider, providers), (AiTest.model, models)
    return (column.in_(among) for column, among in columns if among is not None)
