"""Schedules: tests of a dream with some models, created again and again."""

from datetime import datetime

import strawberry
from strawberry import UNSET
from strawberry.scalars import JSON

import db
from db import WriteSession
from db.ai_tests import schedules
from db.ai_tests.schedules import MAX_MODELS, AiTestSchedule as Schedule, Model
from db.core.values import validation
from graph.ai_tests.inputs import DREAM, non_null_columns
from graph.ai_tests.recording import check_may_test, lock_dream
from graph.ai_tests.types import READ
from graph.core.context import Info
from graph.core.permission import TESTS
from graph.core.types.connection import Connection, listed
from graph.core.types.field import checked, field, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_idempotently,
    get_for_update,
    id_of_table,
    idempotency_key,
    input_type,
    mutation,
)
from graph.core.types.node import Node, key_of, node
from graph.dreams import Dream, DreamById
from graph.dreams.rights import TEST
from graph.users import User, UserById

SCHEDULE = key_of(Schedule)

# Types


@value
class ScheduledModel:
    """A model to test a dream with."""

    provider: str = field("Provider of the model.")
    model: str = field("Name of the model.")


def _models(root: Schedule) -> list[ScheduledModel]:
    return [ScheduledModel(provider=each.provider, model=each.name) for each in _pairs(root)]


def _pairs(root: Schedule) -> list[Model]:
    return schedules.models_of(root)


@node(Schedule, access=TESTS)
class AiTestSchedule(Node):
    """Tests of a dream with some models, put into the work queue at the times of a cron
    expression. A model whose test of an earlier run still waits is left out."""

    cron: str = field("Minute, hour, day of month, month and day of week, in UTC.")
    models: list[ScheduledModel] = field(
        "The models.", resolver=_models, reads=("providers", "models"), cost=0
    )
    test_parameters: JSON = field("Parameters of the tests, as free-form JSON.")
    max_attempts: int = field("Number of attempts after which a test is FAILED.")
    is_active: bool = field("Whether the schedule creates tests.")
    next_run_at: datetime = field("When it creates tests next, unless it is paused.")
    last_run_at: datetime | None = field("When it created tests last. Null if never.")
    created_at: datetime = field("When the schedule was created.")
    updated_at: datetime = field("When the schedule was last changed.")
    dream: Dream = related(DreamById, "dream_id", description="The dream to test.")
    user: User | None = related(
        UserById, "user_id", description="The user whose tests they are: who created the schedule."
    )


# Inputs


@filters(db.schedules.LISTING)
class AiTestScheduleFilter:
    """Filter conditions on schedules. All given conditions must hold."""


@orders(db.schedules.LISTING)
class AiTestScheduleOrder:
    """Sort order for schedules."""


@input_type
class ScheduledModelInput:
    """A model to test a dream with."""

    provider: str = field("Provider of the model.", check=validation.PROVIDER)
    model: str = field("Name of the model, as its provider spells it.", check=validation.string())


@checked(Schedule)
@input_type
class CreateAiTestScheduleInput:
    """The input fields to schedule tests of a dream."""

    dream_id: strawberry.ID = field("ID of the dream to test.", check=DREAM)
    cron: str = field(
        "When: minute, hour, day of month, month and day of week, in UTC. `0 6 * * MON` is every "
        "Monday at 6."
    )
    models: list[ScheduledModelInput] = field(
        "The models to test it with.", check=validation.items(MAX_MODELS)
    )
    parameters: JSON | None = field(
        "Parameters of the tests, as free-form JSON.", column="test_parameters", default=UNSET
    )
    max_attempts: int | None = field(
        "Number of attempts after which a test is FAILED; 3 if omitted.", default=UNSET
    )
    idempotency_key: str | None = idempotency_key()


@input_type
class PauseAiTestScheduleInput:
    """The input fields to pause a schedule."""

    id: strawberry.ID = field("ID of the schedule.", check=SCHEDULE)


@input_type
class ResumeAiTestScheduleInput:
    """The input fields to resume a schedule."""

    id: strawberry.ID = field("ID of the schedule.", check=SCHEDULE)


@input_type
class DeleteAiTestScheduleInput:
    """The input fields to delete a schedule."""

    id: strawberry.ID = field("ID of the schedule.", check=SCHEDULE)


@value
class AiTestScheduleDeleted:
    """A schedule was deleted. Tests that it created are kept."""

    deleted_ai_test_schedule_id: strawberry.ID | None = field(
        "ID of the deleted schedule.", default=None
    )


# Operations


async def _locked(info: Info, session: WriteSession, id: str) -> Schedule:
    """Raises Invalid, NotFound, Forbidden."""
    schedule = await get_for_update(session, Schedule, id_of_table(id, Schedule))
    if (dream := await schedules.dream_of(session, schedule)) is not None:
        check_may_test(info, dream)
    return schedule


async def _set_active(info: Info, id: str, is_active: bool) -> Schedule:
    async with info.context.db.write(audit_context(info)) as session:
        schedule = await _locked(info, session, id)
        return await schedules.set_active(session, schedule, is_active)


@strawberry.type
class Queries:
    ai_test_schedules: Connection[AiTestSchedule] = listed(
        db.schedules.LISTING, "Schedules of tests, newest first.", READ
    )


@strawberry.type
class Mutations:
    @mutation(
        "Test a dream with some models again and again: at each time of the schedule, tests are "
        "put into the work queue, for workers to claim.",
        TEST,
        AiTestSchedule,
    )
    async def create_ai_test_schedule(
        self, info: Info, input: Input[CreateAiTestScheduleInput]
    ) -> Schedule:
        models = [Model(each.provider, each.model) for each in input.models]

        async def create(session: WriteSession) -> Schedule:
            dream = await lock_dream(info, session, input.dream_id)
            user_id = info.context.principal.user_id
            values = non_null_columns(input, "dream_id", "models", "cron")
            return await schedules.create(session, dream, user_id, input.cron, models, **values)

        return await create_idempotently(info, Schedule, input, create)

    @mutation("Pause a schedule: it creates no tests until it is resumed.", TEST, AiTestSchedule)
    async def pause_ai_test_schedule(
        self, info: Info, input: Input[PauseAiTestScheduleInput]
    ) -> Schedule:
        return await _set_active(info, input.id, False)

    @mutation(
        "Resume a schedule, from now on: times that passed meanwhile are left out.",
        TEST,
        AiTestSchedule,
    )
    async def resume_ai_test_schedule(
        self, info: Info, input: Input[ResumeAiTestScheduleInput]
    ) -> Schedule:
        return await _set_active(info, input.id, True)

    @mutation("Delete a schedule.", TEST, AiTestScheduleDeleted)
    async def delete_ai_test_schedule(
        self, info: Info, input: Input[DeleteAiTestScheduleInput]
    ) -> AiTestScheduleDeleted:
        async with info.context.db.write(audit_context(info)) as session:
            await db.audit.remove(session, Schedule, await _locked(info, session, input.id))
        return AiTestScheduleDeleted(deleted_ai_test_schedule_id=input.id)
