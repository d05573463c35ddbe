"""AI tests: attempts of AI models at dreams."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, func, select, text, true
from sqlalchemy.orm import Mapped, mapped_column

from db import dreams
from db.ai_models import MAX_TOKENS
from db.core.query.batch import Key, grouped
from db.core.query.filter import Relation
from db.core.query.listing import ListSpec, columns_by_name
from db.core.query.time_range import Bucket, TimeRange, bucket_start
from db.core.session.database import ReadSession, ResultRow
from db.core.session.row_rules import Visibility
from db.core.table import (
    Count,
    CreatedAt,
    Id,
    Json,
    Money,
    Score,
    Table,
    checked,
    choice,
    documents,
    percent,
)
from db.core.values import validation


class AiTestStatus(StrEnum):
    """The status of a test. Only a COMPLETED test can have a score."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


MAX_DURATION = 10**13  # milliseconds: three centuries
MAX_COST = Decimal("9999.999999")  # US dollars, the most that the column holds


class AiTest(Table):
    """One attempt of one model at one dream. `duration` is in milliseconds; scores range from 0
    (solved) to 100 (impossible)."""

    __tablename__ = "ai_tests"
    parent = "dream_id"
    __table_args__ = (
        percent("impossibility_score"),
        percent("confidence"),
        Index(None, "dream_id", "id"),
        Index(None, "provider", "model", "id"),
        Index(None, "user_id", "id"),
        Index(None, "impossibility_score", "id"),
        Index(None, "duration", "id"),
        Index(None, "cost", "id"),
        Index(None, "confidence", "id"),
        Index(None, "tokens_used", "id"),
        Index(
            "ix_ai_tests_uncompleted",
            *("status", "id"),
            postgresql_where=text("status <> 'COMPLETED'"),
        ),
        Index(
            "ix_ai_tests_scores_of_models",
            *("dream_id", "provider", "model", text("id desc")),
            postgresql_include=["impossibility_score"],
            postgresql_where=text("status = 'COMPLETED' and impossibility_score is not null"),
        ),
        documents("test_parameters"),
        Index(
            "ix_ai_tests_unscored",
            "id",
            postgresql_include=["dream_id"],
            postgresql_where=text("status = 'COMPLETED' and impossibility_score is null"),
        ),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    provider: Mapped[str] = checked(validation.PROVIDER)
    model: Mapped[str] = checked(validation.string())
    impossibility_score: Mapped[Score | None]
    confidence: Mapped[Score | None]
    reasoning: Mapped[str | None] = checked(validation.string(validation.MAX_TEXT, 0))
    duration: Mapped[Count | None] = checked(validation.within(0, MAX_DURATION))
    tokens_used: Mapped[Count | None] = checked(validation.within(0, MAX_TOKENS))
    cost: Mapped[Money | None] = checked(validation.within(0, MAX_COST))
    status: Mapped[str] = choice(AiTestStatus, "status", server_default=AiTestStatus.PENDING)
    test_parameters: Mapped[Json] = checked(validation.OBJECT)
    completed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    cost_derived: Mapped[bool] = mapped_column(server_default=text("false"))

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else cls.dream_id.in_(select(dreams.Dream.id))


DECAYED = timedelta(days=30)

LISTING: ListSpec = ListSpec(
    AiTest,
    filters=columns_by_name(
        AiTest.dream_id,
        AiTest.user_id,
        AiTest.provider,
        AiTest.model,
        AiTest.status,
        AiTest.impossibility_score,
        AiTest.confidence,
        AiTest.tokens_used,
        AiTest.cost,
        AiTest.test_parameters,
        AiTest.created_at,
        duration_ms=AiTest.duration,
    ),
    orders={
        "CREATED_AT": AiTest.id,
        "IMPOSSIBILITY_SCORE": AiTest.impossibility_score,
        "DURATION_MS": AiTest.duration,
        "COST": AiTest.cost,
    },
    relations={
        "dream": Relation(
            lambda: dreams.Dream.id == AiTest.dream_id, lambda: dreams.LISTING.filterable
        )
    },
    time=AiTest.created_at,
    facets=columns_by_name(AiTest.status),
)

COMPLETED = (AiTest.status == AiTestStatus.COMPLETED,)
SCORED = (*COMPLETED, AiTest.impossibility_score.is_not(None))  # a COMPLETED test may have no score
UNSCORED = (*COMPLETED, AiTest.impossibility_score.is_(None))

BEST = func.min(AiTest.impossibility_score).label("best_score")
COUNT = func.count().label("test_count")
COUNTS = (COUNT, func.count(AiTest.impossibility_score).label("scored_test_count"))
AVERAGE = func.avg(AiTest.impossibility_score).label("average_score")
USED = (
    COUNT,
    func.coalesce(func.sum(AiTest.tokens_used), 0).label("total_tokens"),
    func.coalesce(func.sum(AiTest.cost), 0).label("total_cost"),
)
DECAY = (AVERAGE, BEST, *COUNTS)
DREAM = (AiTest.dream_id,)
MODEL = (AiTest.provider, AiTest.model)


async def decays(
    session: ReadSession, dream_ids: Sequence[Key], span: TimeRange, bucket: Bucket
) -> dict[Key, list[ResultRow]]:
    start = bucket_start(AiTest.created_at, bucket)
    where = (*COMPLETED, *span.or_last(DECAYED).of(AiTest.id))
    return await grouped(session, DREAM, dream_ids, start, *DECAY, where=where, by=(start,))


async def totals(session: ReadSession, dream_ids: Sequence[Key]) -> dict[Key, ResultRow]:
    found = await grouped(session, DREAM, dream_ids, *USED)
    return {key: rows[0] for key, rows in found.items()}
