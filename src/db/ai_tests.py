"""AI tests: one try of one AI model at one dream."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from db.core.table import Count, CreatedAt, Id, Json, Money, Score, Table, choice, percent


class AiTestStatus(StrEnum):
    """Where a test is; only a COMPLETED test may have a score."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class AiTest(Table):
    """One try. `duration` is in milliseconds; scores run from 0 (solved) to 100 (impossible)."""

    __tablename__ = "ai_tests"
    __table_args__ = (
        percent("impossibility_score"),
        percent("confidence"),
        Index(None, "dream_id", "id"),
        Index(None, "provider", "model", "id"),
        Index(None, "user_id", "id"),
        {"postgresql_partition_by": "RANGE (id)"},
    )

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    provider: Mapped[str]
    model: Mapped[str]
    impossibility_score: Mapped[Score | None] = mapped_column(index=True)
    confidence: Mapped[Score | None]
    reasoning: Mapped[str | None]
    duration: Mapped[Count | None]
    tokens_used: Mapped[Count | None]
    cost: Mapped[Money | None]
    status: Mapped[str] = choice(AiTestStatus, "status", server_default=AiTestStatus.PENDING)
    test_parameters: Mapped[Json]
    completed_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
