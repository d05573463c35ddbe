"""Sums: statistics of AI tests over time, from a rollup by category and model."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    and_,
    case,
    cast,
    false,
    func,
    null,
    or_,
    select,
    true,
)
from sqlalchemy.orm import Mapped, mapped_column

from db.ai_tests import COMPLETED, MODEL, SCORED, UNSCORED, AiTest
from db.core.query.batch import Key, requested_keys
from db.core.query.time_range import Bucket, TimeRange, first_and_last
from db.core.rollup import Parent, Pieces, Rollup, RollupTable, combined, counted, summed
from db.core.session.database import ReadSession, ResultRow
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Column, Count, Expression, checked
from db.core.timeouts import Kind, of_kind
from db.core.values import validation
from db.dreams import Dream, DreamCategory, DreamStatus
from db.progress import ProgressLog

COMPARED = timedelta(days=7)
LONGEST_OF_TESTS = timedelta(days=31)  # whose dreams are counted by their tests
RECENT = timedelta(days=1)

CATEGORY = validation.one_of(tuple(DreamCategory), said="")


class OfPublicDreams(RollupTable):
    """Sums apart for tests of public dreams, which all viewers see, and of all others."""

    __abstract__ = True

    is_public: Mapped[bool] = mapped_column(primary_key=True, sort_order=-1)

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else cls.is_public.is_(True)


class AiTestSums(OfPublicDreams):
    """Sums of the completed tests of one model, at the ACTIVE or other dreams of one category, in a
    period; `any_…` are of tests in any status."""

    __tablename__ = "test_sums"

    is_active: Mapped[bool] = mapped_column(primary_key=True)
    category: Mapped[str] = checked(CATEGORY, primary_key=True)
    provider: Mapped[str] = checked(validation.PROVIDER, primary_key=True)
    model: Mapped[str] = checked(validation.string(), primary_key=True)
    test_count: Mapped[Count]
    scored_count: Mapped[Count]
    score: Mapped[Decimal | None]
    squared_score: Mapped[Decimal | None]
    confident_count: Mapped[Count]
    confidence: Mapped[Decimal | None]
    timed_count: Mapped[Count]
    duration: Mapped[Decimal | None]
    cost: Mapped[Decimal | None]
    any_count: Mapped[Count]
    any_tokens: Mapped[Decimal | None]
    any_cost: Mapped[Decimal | None]


IS_COMPLETED = COMPLETED[0]


def _number(condition: ColumnElement[bool]) -> Expression:
    return cast(case((condition, 1), else_=0), BigInteger)


def _completed(value: Expression | Column) -> Expression:
    return case((IS_COMPLETED, value))


def _known(column: Expression | Column) -> Expression:
    return _number(IS_COMPLETED & column.is_not(None))


OF_DREAM = Parent(AiTest.dream_id, Dream, ("is_public", "is_active", "category"))
USED = {
    "any_count": counted(),
    "any_tokens": summed(AiTest.tokens_used),
    "any_cost": summed(AiTest.cost),
}

ROLLUP = Rollup(
    AiTestSums,
    AiTest,
    AiTest.created_at,
    (Bucket.DAY, Bucket.MONTH),
    keys={
        "is_public": Dream.is_public,
        "is_active": Dream.status == DreamStatus.ACTIVE,
        "category": Dream.category,
        "provider": AiTest.provider,
        "model": AiTest.model,
    },
    measures={
        "test_count": counted(_number(IS_COMPLETED)),
        "scored_count": counted(_known(AiTest.impossibility_score)),
        "score": summed(_completed(AiTest.impossibility_score)),
        "squared_score": summed(
            _completed(AiTest.impossibility_score * AiTest.impossibility_score)
        ),
        "confident_count": counted(_known(AiTest.confidence)),
        "confidence": summed(_completed(AiTest.confidence)),
        "timed_count": counted(_known(AiTest.duration)),
        "duration": summed(_completed(AiTest.duration)),
        "cost": summed(_completed(AiTest.cost)),
        **USED,
    },
    parent=OF_DREAM,
    hidden=Dream.private,
)


def _averages(sums: Pieces) -> tuple[Expression, ...]:
    return (
        sums.mean("score", "scored_count").label("average_score"),
        sums.mean("confidence", "confident_count").label("average_confidence"),
        sums.mean("duration", "timed_count").label("average_duration_ms"),
        sums.total("test_count"),
        sums.total("scored_count").label("scored_test_count"),
        sums.total("cost").label("total_cost"),
    )


@dataclass(frozen=True, slots=True)
class Chosen:
    """The tests to compare: those of some providers, models and categories, or of all."""

    providers: Collection[str] | None = None
    models: Collection[str] | None = None
    categories: Collection[DreamCategory] | None = None

    def within(self, sums: Pieces) -> Iterator[ColumnElement[bool]]:
        names = {"provider": self.providers, "model": self.models, "category": self.categories}
        for name, among in names.items():
            if among is not None:
                yield sums.key(name).in_(among)

    def tests(self, *of_dreams: ColumnElement[bool]) -> Iterator[ColumnElement[bool]]:
        for column, among in ((AiTest.provider, self.providers), (AiTest.model, self.models)):
            if among is not None:
                yield column.in_(among)
        if self.categories is not None:
            of_dreams = (*of_dreams, Dream.category.in_(self.categories))
        if of_dreams:
            yield AiTest.dream_id.in_(select(Dream.id).where(*of_dreams))


ALL = Chosen()


def compared(
    span: TimeRange, visibility: Visibility, chosen: Chosen = ALL, bucket: Bucket | None = None
) -> AnySelect:
    """Averages by model, in each bucket if there is one."""
    sums = combined(ROLLUP, span.or_last(COMPARED), visibility, bucket)
    model = sums.key("provider"), sums.key("model")
    start, by = _buckets(sums, bucket)
    averages = _averages(sums)
    return (
        select(start, *model, *averages, *_spread(sums))
        .where(*chosen.within(sums))
        .group_by(*by, *model)
        .having(sums.total("test_count") > 0)
        .order_by(*by, averages[0], *model)
    )


def times_compared(chosen: Chosen) -> AnySelect:
    """The times of the first and the last completed test."""
    return first_and_last(AiTest.created_at, AiTest.id, *COMPLETED, *chosen.tests())


def _buckets(sums: Pieces, bucket: Bucket | None) -> tuple[Expression, list[Expression]]:
    """The start of a bucket, and what to group by for it: null and nothing without a bucket."""
    if bucket is None:
        return null().label("bucket"), []
    start = sums.bucket(bucket)
    return start, [start]


def _spread(sums: Pieces) -> tuple[Expression, ...]:
    return sums.total("score").label("score_total"), sums.total("squared_score")


async def statistics(
    session: ReadSession, models: Sequence[Key], span: TimeRange, visibility: Visibility
) -> dict[Key, ResultRow]:
    sums = combined(ROLLUP, span, visibility)
    asked = requested_keys(MODEL, models)
    of_model = sums.key("provider") == asked.c.k0, sums.key("model") == asked.c.k1
    statement = (
        select(asked.c.position, *_averages(sums))
        .where(*of_model)
        .group_by(asked.c.position)
        .having(sums.total("test_count") > 0)
    )
    rows = await session.rows(of_kind(Kind.AGGREGATE, statement))
    return {models[row[0] - 1]: row for row in rows}


def by_category(
    span: TimeRange, visibility: Visibility, chosen: Chosen = ALL, bucket: Bucket | None = None
) -> AnySelect:
    """Averages by category of ACTIVE dreams, in each bucket if there is one."""
    sums = combined(ROLLUP, span, visibility, bucket)
    start, by = _buckets(sums, bucket)
    average = sums.mean("score", "scored_count").label("average_score")
    counts = sums.total("test_count"), sums.total("scored_count").label("scored_test_count")
    category = sums.key("category").label("category")
    totals = (
        select(start, category, average, *counts, *_spread(sums))
        .where(sums.key("is_active"), *chosen.within(sums))
        .group_by(*by, category)
        .having(counts[0] > 0)
        .order_by(*by, average, category)
    )
    if by:
        return totals.add_columns(null().label("dream_count"))
    is_of_all = chosen.providers is None and chosen.models is None
    if is_of_all and not _has_ended(span):
        return _with_dreams(totals, tested_dreams(span))
    if span.length > LONGEST_OF_TESTS:
        return totals.add_columns(null().label("dream_count"))
    return _with_dreams(totals, dreams_of_tests(chosen, span))


def times_by_category(chosen: Chosen) -> AnySelect:
    """The times of the first and the last completed test of ACTIVE dreams."""
    tests = chosen.tests(Dream.status == DreamStatus.ACTIVE)
    return first_and_last(AiTest.created_at, AiTest.id, *COMPLETED, *tests)


def _with_dreams(totals: AnySelect, counts: AnySelect) -> AnySelect:
    each, tested = totals.subquery("totals"), counts.subquery("tested")
    return (
        select(*each.c, tested.c.dream_count)
        .join_from(each, tested, tested.c.category == each.c.category)
        .order_by(each.c.average_score, each.c.category)
    )


def tested_dreams(span: TimeRange) -> AnySelect:
    """The number of ACTIVE dreams with completed tests, by category: the dreams of two periods are
    not the sum of those of each."""
    unscored = select(AiTest.dream_id).where(*UNSCORED, *span.of(AiTest.id)).distinct()
    others = unscored.subquery("unscored")
    return (
        select(Dream.category, func.count().label("dream_count"))
        .outerjoin_from(Dream, others, others.c.dream_id == Dream.id)
        .where(Dream.status == DreamStatus.ACTIVE)
        .where(or_(_was_scored(span), others.c.dream_id.is_not(None)))
        .group_by(Dream.category)
    )


def _has_ended(span: TimeRange) -> bool:
    """True if many dreams may have been tested again since, so that their last test tells nothing
    about a time range."""
    return span.until is not None and span.until < span.now - RECENT


def dreams_of_tests(chosen: Chosen, span: TimeRange) -> AnySelect:
    """`tested_dreams` from the tests of chosen models, or of all."""
    tests = Chosen(chosen.providers, chosen.models).tests()
    has_tests = select(AiTest.id).where(
        AiTest.dream_id == Dream.id, IS_COMPLETED, *span.of(AiTest.id), *tests
    )
    return (
        select(Dream.category, func.count().label("dream_count"))
        .where(Dream.status == DreamStatus.ACTIVE, has_tests.exists())
        .group_by(Dream.category)
    )


def _was_scored(span: TimeRange) -> ColumnElement[bool]:
    """The last scored test of a dream is in the time range; or another one is, if the last one is
    later, or unknown because logs have expired that are older than all others."""
    last, scored = Dream.last_tested_at, (AiTest.dream_id == Dream.id, *SCORED)
    within = [
        last >= _first(AiTest.created_at, *SCORED)
    ]  # a test may have expired, and not its log
    within += [] if span.since is None else [last >= span.since]
    within += [] if span.until is None else [last < span.until]
    later = false() if span.until is None else last >= span.until
    is_known = func.coalesce(_first(ProgressLog.id) <= _first(AiTest.id, *SCORED), false())
    has_test = select(AiTest.id).where(*scored, *span.of(AiTest.id)).exists()
    return or_(and_(*within), and_(or_(later, ~is_known), has_test))


def _first(column: Column, *where: ColumnElement[bool]) -> Expression:
    oldest = select(column).where(*where).order_by(column.class_.id).limit(1)
    return oldest.scalar_subquery()
