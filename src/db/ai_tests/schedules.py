"""Schedules: tests of a dream that are put into the queue again and again.

A due schedule is run in one transaction that locks its row, creates its tests and moves
`next_run_at` on. So each run happens once, whichever process is first, and in whole or not at all.
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from cronsim import CronSim, CronSimError
from sqlalchemy import (
    ColumnElement,
    Executable,
    ForeignKey,
    Index,
    and_,
    func,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from db import audit, dreams
from db.ai_tests import AiTestStatus, queue
from db.ai_tests.queue import ATTEMPTS, MAX_ATTEMPTS, QueuedAiTest
from db.ai_tests.writes import start
from db.core.errors import BudgetExceeded, FieldError, Invalid
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.audit_context import AuditContext
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.session.row_rules import Visibility
from db.core.table import CreatedAt, Id, Json, Table, Texts, UpdatedAt, checked
from db.core.values import validation
from db.core.values.validation import field_errors
from db.dreams import Dream, DreamStatus
from db.users import User

MAX_MODELS = 50
DUE = 20  # schedules that are run by one look
RUN = AuditContext("ai_test_schedule")  # the actor in the audit log
NO_CRON = (
    "This is not a cron expression of five fields (minute, hour, day, month, day of week), such as "
    "`0 6 * * MON`."
)
OFTEN = "A schedule may run at most once an hour: give one minute."


def next_time(cron: str, after: datetime) -> datetime:
    """The first time after another one at which a cron expression matches, in UTC. Raises Invalid.

    Source: Debian's cron, as the library cronsim reads it.
    """
    try:
        return next(CronSim(cron, after.astimezone(UTC)))
    except (CronSimError, StopIteration):  # the latter for a time that never comes
        raise Invalid(NO_CRON, "cron") from None


def _wrong_cron(cron: str) -> str | None:
    if len(cron) > validation.MAX_NAME or len(cron.split()) != 5:
        return NO_CRON
    try:
        next_time(cron, datetime(2026, 1, 1, tzinfo=UTC))
    except Invalid as invalid:
        return invalid.message
    return None if cron.split()[0].isdecimal() else OFTEN


CRON = replace(
    validation.single("Five fields of cron, in UTC, with one minute.", _wrong_cron),
    most=validation.MAX_NAME,
)


class AiTestSchedule(Table):
    """Models to test a dream with, and when. The n-th of `models` is of the n-th of `providers`."""

    __tablename__ = "ai_test_schedules"
    __table_args__ = (
        Index(None, "dream_id", "id"),
        Index(None, "user_id", "id"),
        Index(
            "ix_ai_test_schedules_due",
            *("next_run_at", "id"),
            postgresql_where=text("is_active"),
        ),
    )
    parent = "dream_id"

    id: Mapped[Id]
    dream_id: Mapped[UUID] = mapped_column(ForeignKey("dreams.id", ondelete="CASCADE"))
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    cron: Mapped[str] = checked(CRON)
    providers: Mapped[Texts] = checked(validation.each(MAX_MODELS, validation.PROVIDER))
    models: Mapped[Texts] = checked(validation.each(MAX_MODELS, validation.string()))
    test_parameters: Mapped[Json] = checked(validation.OBJECT)
    max_attempts: Mapped[int] = checked(
        validation.within(1, MAX_ATTEMPTS), server_default=text(str(ATTEMPTS))
    )
    is_active: Mapped[bool] = mapped_column(server_default=text("true"))
    next_run_at: Mapped[datetime]
    last_run_at: Mapped[datetime | None]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]

    @classmethod
    def visible(cls, visibility: Visibility) -> ColumnElement[bool]:
        return true() if visibility.shared else cls.dream_id.in_(select(dreams.Dream.id))


LISTING = ListSpec(
    AiTestSchedule,
    filters=columns_by_name(
        AiTestSchedule.dream_id,
        AiTestSchedule.user_id,
        AiTestSchedule.is_active,
        AiTestSchedule.next_run_at,
    ),
    orders={"CREATED_AT": AiTestSchedule.id},
)


class Model(NamedTuple):
    provider: str
    name: str


def models_of(schedule: AiTestSchedule) -> list[Model]:
    return [Model(*pair) for pair in zip(schedule.providers, schedule.models, strict=True)]


async def dream_of(session: ReadSession, schedule: AiTestSchedule) -> Dream | None:
    return await session.record(Dream, Dream.select().where(Dream.id == schedule.dream_id))


async def create(
    session: WriteSession,
    dream: Dream,
    user_id: UUID | None,
    cron: str,
    models: Collection[Model],
    **values: object,
) -> AiTestSchedule:
    """Raises Invalid."""
    validation.raise_if_invalid([*field_errors({"cron": CRON}, {"cron": cron}), *_faults(models)])
    return await audit.create(
        session,
        AiTestSchedule,
        dream_id=dream.id,
        user_id=user_id,
        cron=cron,
        providers=[model.provider for model in models],
        models=[model.name for model in models],
        next_run_at=next_time(cron, session.now()),
        **values,
    )


async def set_active(
    session: WriteSession, schedule: AiTestSchedule, is_active: bool
) -> AiTestSchedule:
    """Pause a schedule, or resume it: then the next run is the next one from now."""
    if schedule.is_active == is_active:
        return schedule
    next_run_at = next_time(schedule.cron, session.now()) if is_active else schedule.next_run_at
    return await audit.change(
        session, AiTestSchedule, schedule, is_active=is_active, next_run_at=next_run_at
    )


async def run_due(database: Database) -> int:
    """Run the schedules that are due; return the number of tests. Several processes may do so at
    once: each run is done by one of them. Raises as sessions do."""
    async with database.read() as session:
        due = select(AiTestSchedule.id).where(*_is_due()).order_by(AiTestSchedule.next_run_at)
        ids = [id for (id,) in await session.rows(due.limit(DUE))]
    return sum([await _run(database, id) for id in ids])


async def _run(database: Database, id: UUID) -> int:
    async with database.write(RUN) as session:
        for schedule, dream, is_allowed in await _locked(session, id):
            models = await _without_waiting(session, schedule) if is_allowed else []
            count = await _enqueue_all(session, schedule, dream, models)
            await session.execute(_moved_on(schedule, session.now()))
            return count
    return 0


async def _enqueue_all(
    session: WriteSession, schedule: AiTestSchedule, dream: Dream, models: Collection[Model]
) -> int:
    """Enqueue a test of each model, until the budget of the user is spent: then this run makes no
    more, and the next one asks again. Returns the number of tests."""
    for count, model in enumerate(models):
        try:
            await _enqueue(session, schedule, dream, model)
        except BudgetExceeded:
            return count
    return len(models)


async def _locked(session: WriteSession, id: UUID) -> list[tuple[AiTestSchedule, Dream, bool]]:
    """A due schedule and its dream, and whether the dream may be tested; empty if another process
    has locked one of them, or has run the schedule."""
    enabled = or_(AiTestSchedule.user_id.is_(None), User.disabled_at.is_(None))
    allowed = and_(Dream.status != DreamStatus.ARCHIVED, enabled).label("allowed")
    width = len(AiTestSchedule.columns())
    statement = (
        select(*AiTestSchedule.columns(), *Dream.columns(), allowed)
        .join(Dream, Dream.id == AiTestSchedule.dream_id)
        .outerjoin(User, User.id == AiTestSchedule.user_id)
        .where(AiTestSchedule.id == id, *_is_due())
        .with_for_update(of=[AiTestSchedule, Dream], skip_locked=True)
    )
    return [
        (AiTestSchedule.Record(*row[:width]), Dream.Record(*row[width:-1]), row[-1])
        for row in await session.rows(statement)
    ]


async def _without_waiting(session: WriteSession, schedule: AiTestSchedule) -> list[Model]:
    """The models without a test of an earlier run in the queue, so that tests do not pile up."""
    queued = select(QueuedAiTest.provider, QueuedAiTest.model)
    rows = await session.rows(queued.where(QueuedAiTest.schedule_id == schedule.id))
    waiting = {Model(*row) for row in rows}
    return [model for model in models_of(schedule) if model not in waiting]


async def _enqueue(
    session: WriteSession, schedule: AiTestSchedule, dream: Dream, model: Model
) -> None:
    values = {
        "provider": model.provider,
        "model": model.name,
        "test_parameters": schedule.test_parameters,
    }
    test = await start(session, dream, schedule.user_id, AiTestStatus.PENDING, **values)
    await queue.add(session, test, max_attempts=schedule.max_attempts, schedule_id=schedule.id)


def _moved_on(schedule: AiTestSchedule, now: datetime) -> Executable:
    """The next run is the first one from now: runs that were missed are not made up for."""
    moved = {"last_run_at": now, "next_run_at": next_time(schedule.cron, now)}
    return update(AiTestSchedule).where(AiTestSchedule.id == schedule.id).values(**moved)


def _is_due() -> tuple[ColumnElement[bool], ...]:
    return AiTestSchedule.is_active.is_(True), AiTestSchedule.next_run_at <= func.now()


def _faults(models: Collection[Model]) -> Iterator[FieldError]:
    if not models:
        yield FieldError("Give at least one model.", "models")
    if len(set(models)) < len(models):
        yield FieldError("A model may be given only once.", "models")
