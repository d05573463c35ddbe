"""Progress: the impossibility of a dream after each completed test."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, Numeric, select, true
from sqlalchemy.orm import Mapped, mapped_column

from db import dreams
from db.core.numeric import quotient, rounded
from db.core.query.filter import Relation
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import ReadSession
from db.core.session.row_rules import Visibility
from db.core.table import CreatedAt, Id, Json, Score, Table, Texts, documents, percent

TREND_WINDOW = timedelta(days=30)
PLACES = 2  # decimals of averages and trends
MAX_MODELS = 1_000  # of one dream: each of its logs names all of them


class ProgressLog(Table):
    """The state of one dream after one completed and scored test. Its id is that of the test, so
    logs are in the order of tests and can be recomputed."""

    __tablename__ = "progress_logs"
    parent = "dream_id"
    __table_args__ = (
        percent("average_impossibility"),
        percent("best_score"),
        Index(None, "dream_id", "id"),
        Index(None, "average_impossibility", "id"),
        documents("snapshot_data"),
    )

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    average_impossibility: Mapped[Score]
    best_score: Mapped[Score]
    test_count: Mapped[int]
    active_models: Mapped[Texts]
    improvement_trend: Mapped[Decimal | None] = mapped_column(Numeric(9, 2))
    snapshot_data: Mapped[Json] = mapped_column(info={"ids": {"testId": "ai_tests"}})
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else cls.dream_id.in_(select(dreams.Dream.id))


LISTING = ListSpec(
    ProgressLog,
    filters=columns_by_name(
        ProgressLog.dream_id,
        ProgressLog.average_impossibility,
        ProgressLog.best_score,
        ProgressLog.test_count,
        ProgressLog.active_models,
        ProgressLog.improvement_trend,
        ProgressLog.snapshot_data,
        ProgressLog.created_at,
    ),
    orders={
        "CREATED_AT": ProgressLog.id,
        "AVERAGE_IMPOSSIBILITY": ProgressLog.average_impossibility,
    },
    relations={
        "dream": Relation(
            lambda: dreams.Dream.id == ProgressLog.dream_id, lambda: dreams.LISTING.filterable
        )
    },
    time=ProgressLog.created_at,
)


def average(total: Decimal, models: int) -> Decimal:
    return rounded(quotient(total, models), PLACES)


def trend(former: Decimal | None, now: Decimal) -> Decimal | None:
    """The percentage by which the average fell; None if there is no former one or it was 0."""
    return rounded((former - now) / former * 100, PLACES) if former else None


async def newest(session: ReadSession, dream_id: UUID) -> list[ProgressLog]:
    logs = ProgressLog.select().where(ProgressLog.dream_id == dream_id)
    return await session.records(ProgressLog, logs.order_by(ProgressLog.id.desc()).limit(1))
