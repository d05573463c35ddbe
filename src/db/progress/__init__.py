"""Progress: the impossibility of a dream after each completed test."""

from collections.abc import Collection
from datetime import timedelta
from decimal import Decimal
from typing import cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    ForeignKey,
    Index,
    Insert,
    Numeric,
    Uuid,
    func,
    insert,
    literal,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Mapped, mapped_column

from db import ai_tests, audit, dreams
from db.ai_tests import AiTest
from db.audit import Change, ChangeKind
from db.core.ids import floor
from db.core.numeric import mean, rounded
from db.core.query.filter import Relation
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import ReadSession, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, CreatedAt, Id, Json, JsonObject, Score, Table, Texts, percent

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
    )

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    average_impossibility: Mapped[Score]
    best_score: Mapped[Score]
    test_count: Mapped[int]
    active_models: Mapped[Texts]
    improvement_trend: Mapped[Decimal | None] = mapped_column(Numeric(9, 2))
    snapshot_data: Mapped[Json]
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


def average(latest: Collection[Decimal]) -> Decimal:
    return rounded(mean(latest), PLACES)


def trend(former: Decimal | None, now: Decimal) -> Decimal | None:
    """The percentage by which the average fell; None if there is no former one or it was 0."""
    return rounded((former - now) / former * 100, PLACES) if former else None


async def newest(session: ReadSession, dream_id: UUID) -> list[ProgressLog]:
    return await session.records(ProgressLog, _newest(dream_id))


def _newest(dream_id: UUID) -> AnySelect:
    logs = ProgressLog.select().where(ProgressLog.dream_id == dream_id)
    return logs.order_by(ProgressLog.id.desc()).limit(1)


# Writes: the lock of the dream must be held.


async def is_newest(session: WriteSession, test: AiTest) -> bool:
    later = ProgressLog.dream_id == test.dream_id, ProgressLog.id > test.id
    return await session.scalar(select(ProgressLog.id).where(*later).limit(1)) is None


async def append(session: WriteSession, test: AiTest) -> ProgressLog:
    models = await session.rows(by_model([test.dream_id]))
    mean = average([model.latest for model in models])
    former = await session.scalar(_earlier_average(test))
    return await audit.create(
        session,
        ProgressLog,
        id=test.id,
        dream_id=test.dream_id,
        average_impossibility=mean,
        best_score=min(model.best for model in models),
        test_count=sum(model.test_count for model in models),
        active_models=sorted(f"{model.provider}/{model.model}" for model in models),
        improvement_trend=trend(former, mean),
        snapshot_data=_snapshot(test),
        created_at=test.created_at,
    )


async def note_from(session: WriteSession, test: AiTest) -> ProgressLog:
    """Store the audit entry of a log inserted before others, and the changes of the later logs,
    which all differ now; return the newest."""
    logs = ProgressLog.select().where(ProgressLog.dream_id == test.dream_id)
    made = await session.record(ProgressLog, logs.where(ProgressLog.id == test.id))
    await audit.note(session, ChangeKind.CREATED, ProgressLog, None, made)
    await session.execute(_changed_after(test))
    (latest,) = await newest(session, test.dream_id)
    return latest


def by_model(dreams: Collection[UUID]) -> AnySelect:
    """The scored tests of each dream and model: the latest score, the best, and their number."""
    test = ai_tests.AiTest
    scores = func.array_agg(aggregate_order_by(test.impossibility_score, test.id.desc()))
    return (
        select(
            test.dream_id,
            *ai_tests.MODEL,
            scores[1].label("latest"),
            func.min(test.impossibility_score).label("best"),
            func.count().label("test_count"),
        )
        .where(test.dream_id == func.any(literal(list(dreams), ARRAY(Uuid))), *ai_tests.SCORED)
        .group_by(test.dream_id, *ai_tests.MODEL)
    )


def _earlier_average(test: AiTest) -> AnySelect:
    since = floor(test.created_at - TREND_WINDOW + timedelta(microseconds=1))
    logs = select(ProgressLog.average_impossibility).where(ProgressLog.dream_id == test.dream_id)
    return logs.where(ProgressLog.id < since).order_by(ProgressLog.id.desc()).limit(1)


def _changed_after(test: AiTest) -> Insert:
    later = ProgressLog.dream_id == test.dream_id, ProgressLog.id > test.id
    noun, kind = literal(ProgressLog.__tablename__), literal(ChangeKind.UPDATED.value)
    logs = select(noun, ProgressLog.id, kind, ProgressLog.dream_id).where(*later)
    columns = ["noun", "entity_id", "kind", "parent_id"]
    return insert(Change).from_select(columns, logs.order_by(ProgressLog.id))


def _snapshot(test: AiTest) -> JsonObject:
    return {
        "testId": str(test.id),
        "provider": test.provider,
        "model": test.model,
        "score": float(cast("Decimal", test.impossibility_score)),
    }
