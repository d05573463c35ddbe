"""Queue: the tests that wait for a worker, or that a worker runs under a claim.

A queued test is PENDING until a worker claims it, and RUNNING while the claim holds. Its row is
deleted when the test ends. A test without a row is run by the client that started it.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, ForeignKey, Index, delete, select, text, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, mapped_column

from db import dreams
from db.ai_tests import AiTest
from db.core.errors import ClaimLost
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import Database, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import ANY_TABLE, CreatedAt, Id, Table, checked
from db.core.values import validation

MAX_ATTEMPTS = 20
ATTEMPTS = 3  # unless a test has its own number
LOST = "This test is not claimed under this ID any more: another worker may run it, or it ended."
UNCLAIMED = "This test is in the work queue: claim it, and send `claimId`."


class Claim(NamedTuple):
    """A claim as its holder names it, who is the owner of a principal."""

    id: UUID
    holder: str


class QueuedAiTest(Table):
    """One test in the queue, with the ID of the test. `available_at` is when it may be claimed;
    `attempts` counts claims, and `claimed_by` is the owner of the principal that claimed it."""

    __tablename__ = "ai_test_queue"
    __table_args__ = (
        Index(
            "ix_ai_test_queue_waiting",
            *("provider", "available_at", "id"),
            postgresql_where=text("claim_id is null"),
        ),
        Index(
            "ix_ai_test_queue_claimed",
            "claimed_until",
            postgresql_where=text("claim_id is not null"),
        ),
        Index(None, "claim_id", unique=True),
        Index(None, "dream_id", "id"),
        Index(None, "schedule_id", "id"),
    )
    parent = "dream_id"

    id: Mapped[Id] = mapped_column(info={"refers": "ai_tests"})
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    provider: Mapped[str] = checked(validation.PROVIDER)
    model: Mapped[str] = checked(validation.string())
    available_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    max_attempts: Mapped[int] = checked(
        validation.within(1, MAX_ATTEMPTS), server_default=text(str(ATTEMPTS))
    )
    claim_id: Mapped[UUID | None] = mapped_column(info={"refers": ANY_TABLE})
    claimed_by: Mapped[str | None]
    claimed_until: Mapped[datetime | None]
    worker: Mapped[str | None] = checked(validation.string())
    last_error: Mapped[str | None] = checked(validation.string(validation.MAX_TEXT, 0))
    schedule_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("ai_test_schedules.id", ondelete="SET NULL")
    )
    created_at: Mapped[CreatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else cls.dream_id.in_(select(dreams.Dream.id))


LISTING = ListSpec(
    QueuedAiTest,
    filters=columns_by_name(
        QueuedAiTest.dream_id,
        QueuedAiTest.provider,
        QueuedAiTest.model,
        QueuedAiTest.available_at,
        QueuedAiTest.claimed_until,
        QueuedAiTest.attempts,
        QueuedAiTest.schedule_id,
    ),
    orders={"CREATED_AT": QueuedAiTest.id},
)


async def add(session: WriteSession, test: AiTest, **values: object) -> None:
    """Put a test into the queue. Raises Invalid."""
    row = {
        "id": test.id,
        "dream_id": test.dream_id,
        "provider": test.provider,
        "model": test.model,
        "available_at": session.now(),
    }
    await session.execute(insert(QueuedAiTest).values(row | QueuedAiTest.cleaned(values)))


async def leave(session: WriteSession, test: AiTest, claim: Claim | None) -> None:
    """Take a test that ends out of the queue. Raises ClaimLost unless it is claimed so, or in no
    queue and no claim is given."""
    gone = await remove(session, test)
    if gone is not None and claim is None:
        raise ClaimLost(UNCLAIMED)
    if claim is not None and not holds(gone, claim):
        raise ClaimLost(LOST)


def holds(entry: QueuedAiTest | None, claim: Claim) -> bool:
    return entry is not None and (entry.claim_id, entry.claimed_by) == claim


async def remove(session: WriteSession, test: AiTest) -> QueuedAiTest | None:
    """Take a test out of the queue, claimed or not; return its row, if it had one."""
    statement = delete(QueuedAiTest).where(QueuedAiTest.id == test.id)
    return await session.unrestricted().record(
        QueuedAiTest, statement.returning(*QueuedAiTest.columns())
    )


async def remove_orphans(database: Database) -> int:
    """Delete the rows of tests that expired; return how many. Raises as sessions do."""
    known = select(AiTest.id).where(AiTest.id == QueuedAiTest.id).exists()
    async with database.write() as session:
        return await session.execute(delete(QueuedAiTest).where(~known))
