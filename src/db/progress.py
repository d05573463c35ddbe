"""Progress: how impossible a dream was after each completed test."""

from collections.abc import Collection
from datetime import timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, Numeric, select
from sqlalchemy.orm import Mapped, mapped_column

from db import dreams
from db.core.filter import Relation
from db.core.listing import Listing, by_name
from db.core.sight import Sight
from db.core.table import CreatedAt, Id, Json, Score, Table, Texts, percent

TREND_WINDOW = timedelta(days=30)


class ProgressLog(Table):
    """The state of one dream after one completed and scored test, whose id it has: so logs are in
    the order of their tests, and each can be computed anew."""

    __tablename__ = "progress_logs"
    __table_args__ = (
        percent("average_impossibility"),
        percent("best_score"),
        Index(None, "dream_id", "id"),
    )

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    average_impossibility: Mapped[Score] = mapped_column(index=True)
    best_score: Mapped[Score]
    test_count: Mapped[int]
    active_models: Mapped[Texts]
    improvement_trend: Mapped[Decimal | None] = mapped_column(Numeric(9, 2))
    snapshot_data: Mapped[Json]
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, _: Sight) -> ColumnElement[bool]:
        """Those of visible dreams: the rule of dreams applies inside."""
        return cls.dream_id.in_(select(dreams.Dream.id))


LISTING = Listing(
    ProgressLog,
    filters=by_name(
        ProgressLog.dream_id,
        ProgressLog.average_impossibility,
        ProgressLog.best_score,
        ProgressLog.test_count,
        ProgressLog.active_models,
        ProgressLog.improvement_trend,
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
)


def average(latest: Collection[Decimal]) -> Decimal:
    """The mean of each model's latest completed score: a model counts once."""
    return rounded(sum(latest, Decimal()) / len(latest))


def trend(former: Decimal | None, now: Decimal) -> Decimal | None:
    """The percent by which an average fell since a former one; None when there is none, or it was
    0 and could not fall."""
    return rounded((former - now) / former * 100) if former else None


def rounded(value: Decimal) -> Decimal:
    """Two decimals, half up."""
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)
