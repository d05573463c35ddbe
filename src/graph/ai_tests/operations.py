"""Operations: reading AI tests, and writing what became of them."""

from dataclasses import dataclass
from typing import Any

import strawberry
from strawberry import UNSET

import db
from db import WriteSession
from db.ai_tests import AiTestStatus, writes
from db.core import errors
from db.core.values.validation import raise_if_invalid
from db.users import Role
from graph.ai_tests.inputs import (
    CancelAiTestInput,
    CompleteAiTestInput,
    FailAiTestInput,
    RecordAiTestInput,
    RecordAiTestsInput,
    StartAiTestInput,
    columns,
)
from graph.ai_tests.types import READ, WRITE, AiTest, CategoryPerformance, ModelComparison, Spend
from graph.core.context import Info, rows
from graph.core.execution.input_validation import faults_in
from graph.core.permission import PUBLIC, scope
from graph.core.types.connection import Connection, listed
from graph.core.types.errors import Conflict, Forbidden, Invalid, NotFound
from graph.core.types.field import field, names_of, value
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_idempotently,
    get_for_update,
    id_of_table,
    result,
)
from graph.core.types.node import IdOf, load
from graph.core.types.time_range import From, To, reveals_time, time_range
from graph.core.types.unset import or_none

# Results

WRITTEN = (AiTest, NotFound, Forbidden, Invalid, Conflict)
StartAiTestResult = result("StartAiTestResult", *WRITTEN)
EndAiTestResult = result("EndAiTestResult", *WRITTEN)
RecordAiTestResult = result("RecordAiTestResult", *WRITTEN)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one of several tests: its record, or the error it met."""

    index: int
    result: Any


def _result(root: Outcome) -> Any:
    """The record; an error is raised, and becomes a member of the union like any other."""
    if isinstance(root.result, errors.DomainError):
        raise root.result
    return root.result


@value
class RecordedAiTest:
    """What became of one of several tests."""

    index: int = field("Its place among the tests handed in, from 0.")
    result: Any = field(
        "The test as it is stored, or why it is not.",
        resolver=_result,
        graphql_type=RecordAiTestResult,
    )


@value
class RecordedAiTests:
    """What became of several tests, each on its own."""

    recorded_count: int = field("How many are stored.")
    results: Any = field(
        "What became of each, in the order handed in.", cost=0, graphql_type=list[RecordedAiTest]
    )


RecordAiTestsResult = result("RecordAiTestsResult", RecordedAiTests, Invalid)

# Operations

EXPECTED = (errors.NotFound, errors.Forbidden, errors.Invalid, errors.Conflict)
TIMES = reveals_time(db.ai_tests.AiTest.created_at)
ANY_DREAM = scope("tests:write", role=Role.ADMIN)


@strawberry.type
class Queries:
    ai_tests: Connection[AiTest] = listed(db.ai_tests.LISTING, "AI tests, newest first.", READ)

    @field("The AI test with that id; null if there is none.", READ)
    async def ai_test(self, info: Info, id: IdOf) -> AiTest | None:
        return await load(info, id, db.ai_tests.AiTest)

    @field(
        "Models side by side by their completed tests, lowest average first, models without a "
        "score last; the last 7 days by default.",
        PUBLIC,
        cost=100,
        reveals=TIMES,
    )
    async def model_comparison(
        self, info: Info, from_: From = UNSET, to: To = UNSET
    ) -> list[ModelComparison]:
        return await rows(info, db.ai_tests.compared(await time_range(info, from_, to)))

    @field(
        "Categories side by side by the completed tests of their ACTIVE dreams, lowest average "
        "first, categories without a score last; all time by default.",
        PUBLIC,
        cost=100,
        reveals=TIMES,
    )
    async def category_performance(
        self, info: Info, from_: From = UNSET, to: To = UNSET
    ) -> list[CategoryPerformance]:
        return await rows(info, db.ai_tests.by_category(await time_range(info, from_, to)))

    @field(
        "Tokens and cost per user and model, highest cost first; the last 30 days by default.",
        scope("tests:read"),
        cost=100,
        reveals=TIMES,
    )
    async def spend(self, info: Info, from_: From = UNSET, to: To = UNSET) -> list[Spend]:
        return await rows(info, db.ai_tests.spent(await time_range(info, from_, to)))


def may_test(info: Info, dream: Any) -> Any:
    """The dream. Raises Forbidden for who neither wrote it nor may write tests of any."""
    who = info.context.principal
    if not who.may(ANY_DREAM) and (who.user_id is None or dream.user_id != who.user_id):
        raise errors.Forbidden("Only its owner may have a dream tested.")
    return dream


async def tried(info: Info, session: WriteSession, id: str) -> Any:
    """The dream with that printed id, locked. Raises Invalid, NotFound, Forbidden."""
    dreams = db.dreams.Dream
    return may_test(info, await get_for_update(session, dreams, id_of_table(id, dreams)))


async def ended(info: Info, input: Any, status: AiTestStatus) -> Any:
    """The test as it is when it has ended so. Raises Invalid, NotFound, Forbidden, Conflict."""
    tests = db.ai_tests.AiTest
    id = id_of_table(input.id, tests)
    async with info.context.db.write(audit_context(info)) as session:
        dream = may_test(info, await writes.dream_of(session, id))
        test = await get_for_update(session, tests, id)
        return await writes.end(session, dream, test, status, **columns(input))


async def recorded(info: Info, input: RecordAiTestInput) -> Any:
    """The test as it is stored. Raises Invalid, NotFound, Forbidden, Conflict."""
    user_id = info.context.principal.user_id

    async def record(session: WriteSession) -> Any:
        dream = await tried(info, session, input.dream_id)
        return await writes.record(session, dream, user_id, **columns(input, "dream_id"))

    if (at := or_none(input.at)) is not None:
        await writes.make_room(info.context.db, at)
    return await create_idempotently(info, db.ai_tests.AiTest, input, record)


async def outcome(info: Info, index: int, input: RecordAiTestInput) -> Outcome:
    """What becomes of one of several tests."""
    try:
        raise_if_invalid(faults_in(input))
        return Outcome(index, await recorded(info, input))
    except EXPECTED as error:
        return Outcome(index, error.renamed(names_of(RecordAiTestInput)).under(f"tests.{index}"))


@strawberry.type
class Mutations:
    @field("Begin a test of a dream.", WRITE, graphql_type=StartAiTestResult)
    async def start_ai_test(self, info: Info, input: Input[StartAiTestInput]) -> Any:
        async def start(session: WriteSession) -> Any:
            dream = await tried(info, session, input.dream_id)
            user_id = info.context.principal.user_id
            return await writes.start(session, dream, user_id, **columns(input, "dream_id"))

        return await create_idempotently(info, db.ai_tests.AiTest, input, start)

    @field(
        "Say how a test went. A score adds to the progress of its dream, which is ACHIEVED when "
        "its best score, as stored with two decimals, is at most the setting "
        "`dreams.achieved_at`, 5 if there is none.",
        WRITE,
        graphql_type=EndAiTestResult,
    )
    async def complete_ai_test(self, info: Info, input: Input[CompleteAiTestInput]) -> Any:
        return await ended(info, input, AiTestStatus.COMPLETED)

    @field("Say that a test came to nothing.", WRITE, graphql_type=EndAiTestResult)
    async def fail_ai_test(self, info: Info, input: Input[FailAiTestInput]) -> Any:
        return await ended(info, input, AiTestStatus.FAILED)

    @field("Give a test up.", WRITE, graphql_type=EndAiTestResult)
    async def cancel_ai_test(self, info: Info, input: Input[CancelAiTestInput]) -> Any:
        return await ended(info, input, AiTestStatus.CANCELLED)

    @field(
        "Store a test that was carried out elsewhere, now or in the past; what its score means is "
        "worked out as in `completeAiTest`.",
        WRITE,
        graphql_type=RecordAiTestResult,
    )
    async def record_ai_test(self, info: Info, input: Input[RecordAiTestInput]) -> Any:
        return await recorded(info, input)

    @field(
        "Store up to 500 tests, each in a transaction of its own: one that is refused does not "
        "keep the others out. Give each an `idempotencyKey`, then all can be sent again.",
        WRITE,
        graphql_type=RecordAiTestsResult,
    )
    async def record_ai_tests(self, info: Info, input: Input[RecordAiTestsInput]) -> Any:
        results = [await outcome(info, index, test) for index, test in enumerate(input.tests)]
        stored = sum(not isinstance(each.result, errors.DomainError) for each in results)
        return RecordedAiTests(recorded_count=stored, results=results)
