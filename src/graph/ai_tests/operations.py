"""Operations: queries of AI tests, and mutations that write them."""

from datetime import timedelta
from typing import Annotated

import strawberry
from strawberry import UNSET

import db
from db import WriteSession
from db.ai_tests import AiTestStatus, claims, queue, sums, writes
from db.ai_tests.spending import SPENT as SPENT_LATELY, Spending, spent, times_spent
from db.core.values import validation
from db.dreams import DreamCategory
from db.users import Role
from graph.ai_tests.inputs import (
    CancelAiTestInput,
    CompleteAiTestInput,
    FailAiTestInput,
    RecordAiTestInput,
    RecordAiTestsInput,
    StartAiTestInput,
    non_null_columns,
)
from graph.ai_tests.queue import AiTestClaim, check_may_work, claim_of, shown
from graph.ai_tests.recording import (
    check_may_test,
    lock_dream,
    store_test,
    store_tests,
)
from graph.ai_tests.spending import (
    BY_USER_AND_MODEL,
    GroupBy,
    Models,
    OptionalBucket,
    Providers,
    Spend,
    UserIds,
    user_ids as parsed_user_ids,
)
from graph.ai_tests.types import (
    READ,
    AiTest,
    AiTestConnection,
    CategoryPerformance,
    ModelComparison,
    QueuedById,
)
from graph.core.context import Info, as_source
from graph.core.permission import PUBLIC, scope
from graph.core.types.aggregate import Aggregate, aggregate, page_of_rows, reading
from graph.core.types.connection import listed
from graph.core.types.field import Kept, Revealed, argument, field, value
from graph.core.types.groups import MAX_GROUPS, First, Skip
from graph.core.types.ingestion import RefusedItem, refused_item
from graph.core.types.mutation import (
    Input,
    audit_context,
    create_idempotently,
    get_for_update,
    id_of_table,
    mutation,
)
from graph.core.types.node import identified
from graph.core.types.time_range import From, MaybeWidth, To, reveals_time, time_range, window
from graph.core.types.unset import or_none
from graph.dreams.rights import TEST

# Results


@value
class StartedAiTest:
    """A test that was started."""

    ai_test: AiTest | None = field(
        "The object as changed. Null if the mutation failed.", cost=0, default=None
    )
    claim: AiTestClaim | None = field(
        "The claim under which the caller runs the test, if it asked for a lease.", default=None
    )


@value
class RecordedAiTests:
    """The results of a batch of tests. Each test is stored or refused on its own."""

    stored_count: int = field("Number of tests that were stored.", default=0)
    ai_tests: list[AiTest | None] = field(
        "The tests, in the order of the input. Null for tests that were not stored.",
        cost=0,
        default_factory=list,
    )
    refused: list[RefusedItem] = field(
        "The tests that were not stored, by position.", cost=0, default_factory=list
    )


# Operations

TIMES = reveals_time(db.ai_tests.AiTest.created_at)
SPENT = scope("tests:read")
COMPARED = db.ai_tests.AiTest, db.dreams.Dream, db.progress.ProgressLog
STATISTICS = Kept(COMPARED, seconds=3600)
RUN = scope("tests:write", "tests:work", role=Role.MEMBER)
OF_MODELS: dict[str, Revealed] = {
    "providers": db.ai_tests.AiTest.provider,
    "models": db.ai_tests.AiTest.model,
}
OF_DREAMS = db.dreams.Dream.category, db.ai_tests.AiTest.dream_id
ASKED = OF_MODELS | {"groupBy": SPENT, "userIds": db.ai_tests.AiTest.user_id}
Categories = Annotated[
    list[DreamCategory] | None,
    argument("Count only tests of dreams of these categories.", validation.items(100)),
]
EndAiTestInput = CompleteAiTestInput | FailAiTestInput | CancelAiTestInput


@strawberry.type
class Queries:
    ai_tests: AiTestConnection = listed(
        db.ai_tests.LISTING, "AI tests, newest first.", READ, stale_ok=True
    )

    ai_test: AiTest | None = identified(
        db.ai_tests.AiTest, "The AI test with this ID, or null if it does not exist.", READ
    )

    @field(
        "Comparison of models by their completed tests, lowest average score first, models "
        "without a score last; with a bucket, bucket after bucket. The last 7 days by default.",
        PUBLIC,
        cost=100,
        reveals=TIMES | {"providers": PUBLIC, "models": PUBLIC, "categories": OF_DREAMS},
        stale_ok=True,
        kept=STATISTICS,
    )
    async def model_comparison(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        providers: Providers = None,
        models: Models = None,
        categories: Categories = None,
        bucket: MaybeWidth = None,
    ) -> Aggregate[ModelComparison]:
        span, visibility = await window(info, from_, to, sums.COMPARED), info.context.db.visibility
        chosen = sums.Chosen(providers, models, categories)
        comparison = sums.compared(span, visibility, chosen, bucket)
        times = sums.times_compared(chosen)
        return as_source(await aggregate(info, span, comparison, times, reading(bucket)))

    @field(
        "Comparison of categories by the completed tests of their ACTIVE dreams, lowest average "
        "score first, categories without a score last; with a bucket, bucket after bucket. All "
        "time by default.",
        PUBLIC,
        cost=100,
        reveals=TIMES | OF_MODELS | {"categories": db.dreams.Dream.category},
        stale_ok=True,
        kept=STATISTICS,
    )
    async def category_performance(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        providers: Providers = None,
        models: Models = None,
        categories: Categories = None,
        bucket: MaybeWidth = None,
    ) -> Aggregate[CategoryPerformance]:
        span, visibility = await time_range(info, from_, to), info.context.db.visibility
        chosen = sums.Chosen(providers, models, categories)
        performance = sums.by_category(span, visibility, chosen, bucket)
        times = sums.times_by_category(chosen)
        return as_source(await aggregate(info, span, performance, times, reading(bucket)))

    @field(
        "Tokens and cost of tests by user and model, highest cost first, in each bucket if there "
        "are any. The last 30 days by default, at most 92 days of users by model, day or week "
        "without `userIds`.",
        SPENT,
        cost=100,
        reveals=TIMES | ASKED,
        stale_ok=True,
        kept=STATISTICS,
    )
    async def spend(
        self,
        info: Info,
        from_: From = UNSET,
        to: To = UNSET,
        group_by: GroupBy = BY_USER_AND_MODEL,
        bucket: OptionalBucket = None,
        user_ids: UserIds = None,
        providers: Providers = None,
        models: Models = None,
        first: First = MAX_GROUPS,
        skip: Skip = 0,
    ) -> Aggregate[Spend]:
        span, visibility = await window(info, from_, to, SPENT_LATELY), info.context.db.visibility
        asked = Spending(group_by, bucket, parsed_user_ids(user_ids), providers, models)
        page = spent(asked, span, visibility).limit(first).offset(skip)
        return as_source(await aggregate(info, span, page, times_spent(asked), page_of_rows))


async def end_test(
    info: Info, input: EndAiTestInput, status: AiTestStatus, claim_id: str | None = None
) -> db.ai_tests.AiTest:
    """End a test with a final status. Raises Invalid, NotFound, Forbidden, Conflict, ClaimLost."""
    tests = db.ai_tests.AiTest
    id, claim = id_of_table(input.id, tests), claim_of(info, claim_id)
    async with info.context.db.write(audit_context(info)) as session:
        check = check_may_test if claim is None else check_may_work
        dream = check(info, await writes.dream_of(session, id))
        test = await get_for_update(session, tests, id)
        values = non_null_columns(input, "claim_id")
        return await writes.end(session, dream, test, status, claim, **values)


QUEUED = ("queue", "lease_seconds", "max_attempts")  # how a test is queued, no columns of it


async def start_test(
    info: Info, session: WriteSession, input: StartAiTestInput
) -> db.ai_tests.AiTest:
    """Create a test, and its place in the queue if it has one. Raises as `end_test` does."""
    dream = await lock_dream(info, session, input.dream_id)
    principal, queued = info.context.principal, or_none(input.queue) is True
    status = AiTestStatus.PENDING if queued else AiTestStatus.RUNNING
    values = non_null_columns(input, "dream_id", *QUEUED)
    test = await writes.start(session, dream, principal.user_id, status, **values)
    attempts = or_none(input.max_attempts)
    limit = {} if attempts is None else {"max_attempts": attempts}
    if queued:
        await queue.add(session, test, **limit)
    elif (seconds := or_none(input.lease_seconds)) is not None:
        lease = timedelta(seconds=seconds)
        await claims.hold(session, test, principal.owner, lease, **limit)
    return test


async def started_claim(info: Info, test: db.ai_tests.AiTest) -> AiTestClaim | None:
    """The claim under which the caller runs a test."""
    entry = await QueuedById.of(info).load(test.id)
    if entry is None or entry.claimed_by != info.context.principal.owner:
        return None
    return shown(claims.Claimed(entry, test))


@strawberry.type
class Mutations:
    @mutation(
        "Start a test of a dream: run by the caller, or put into the work queue for a worker.",
        TEST,
        StartedAiTest,
    )
    async def start_ai_test(self, info: Info, input: Input[StartAiTestInput]) -> StartedAiTest:
        async def start(session: WriteSession) -> db.ai_tests.AiTest:
            return await start_test(info, session, input)

        test = await create_idempotently(info, db.ai_tests.AiTest, input, start)
        has_lease = or_none(input.lease_seconds) is not None
        claim = await started_claim(info, test) if has_lease else None
        return StartedAiTest(ai_test=as_source(test), claim=claim)

    @mutation(
        "Complete a test. A score adds to the progress of its dream. The dream becomes ACHIEVED "
        "when its best score, stored with two decimals, is at most the setting "
        "`dreams.achieved_at`, 5 by default. A test of the work queue needs its `claimId`.",
        RUN,
        AiTest,
    )
    async def complete_ai_test(
        self, info: Info, input: Input[CompleteAiTestInput]
    ) -> db.ai_tests.AiTest:
        return await end_test(info, input, AiTestStatus.COMPLETED, or_none(input.claim_id))

    @mutation(
        "Mark a test as failed. A test of the work queue needs its `claimId`; to have it tried "
        "again, use `releaseAiTest`.",
        RUN,
        AiTest,
    )
    async def fail_ai_test(self, info: Info, input: Input[FailAiTestInput]) -> db.ai_tests.AiTest:
        return await end_test(info, input, AiTestStatus.FAILED, or_none(input.claim_id))

    @mutation("Cancel a test, also one that a worker runs.", TEST, AiTest)
    async def cancel_ai_test(
        self, info: Info, input: Input[CancelAiTestInput]
    ) -> db.ai_tests.AiTest:
        return await end_test(info, input, AiTestStatus.CANCELLED)

    @mutation(
        "Record a test that was run elsewhere, now or in the past. Its score is applied as in "
        "`completeAiTest`.",
        TEST,
        AiTest,
    )
    async def record_ai_test(
        self, info: Info, input: Input[RecordAiTestInput]
    ) -> db.ai_tests.AiTest:
        return await store_test(info, input)

    @mutation(
        "Record up to 500 tests. A refused test does not affect the others, which are stored "
        "together. Give each test an `idempotencyKey` to make the whole batch safe to retry.",
        TEST,
        RecordedAiTests,
    )
    async def record_ai_tests(
        self, info: Info, input: Input[RecordAiTestsInput]
    ) -> RecordedAiTests:
        tests, errors = await store_tests(info, input.tests)
        refused = [refused_item(index, error, "tests") for index, error in errors.items()]
        return RecordedAiTests(
            stored_count=len(tests) - len(errors), ai_tests=as_source(tests), refused=refused
        )
