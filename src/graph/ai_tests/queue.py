"""Queue: tests that wait for a worker, and the claims under which workers run them."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db.ai_tests import claims, writes
from db.ai_tests.claims import LEASES, MAX_CLAIMS, Claimed, Wanted
from db.ai_tests.queue import Claim
from db.core import errors
from db.core.values import validation
from db.users import Role
from graph.ai_tests.inputs import CLAIM_ID, LEASE_SAID, TEST
from graph.ai_tests.types import READ, AiTest
from graph.core.context import Info, as_source
from graph.core.loader import by_id
from graph.core.permission import TESTS, scope
from graph.core.types.connection import Connection, listed
from graph.core.types.field import checked, field, related, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    audit_context,
    get_for_update,
    id_of_table,
    input_type,
    mutation,
)
from graph.core.types.node import Node, node
from graph.core.types.unset import or_none
from graph.dreams import Dream, DreamById

if TYPE_CHECKING:
    from graph.ai_tests.schedules import AiTestSchedule

WORK = scope("tests:work", role=Role.MEMBER)
WORK_ALL = scope("tests:work", role=Role.OPERATOR)  # also on dreams of others

AiTestById = by_id(db.ai_tests.AiTest)
ScheduleById = by_id(db.schedules.AiTestSchedule)

# Types


@node(db.queue.QueuedAiTest, access=TESTS)
class QueuedAiTest(Node):
    """A test in the work queue: it waits for a worker, or a worker runs it under a claim."""

    provider: str = field("Provider of the model.")
    model: str = field("Name of the model.")
    available_at: datetime = field("When the test may be claimed, or could before it was.")
    attempts: int = field("Number of attempts so far, with the one that runs.")
    max_attempts: int = field("Number of attempts after which the test is FAILED.")
    claimed_until: datetime | None = field(
        "When the claim ends unless it is extended. Null if the test waits."
    )
    worker: str | None = field("Name of the worker that runs the test, as it gave it.")
    last_error: str | None = field("Why the last attempt failed.")
    created_at: datetime = field("When the test was put into the queue.")
    ai_test: AiTest | None = related(AiTestById, "id", description="The test.")
    dream: Dream = related(DreamById, "dream_id", description="The dream to test.")
    schedule: Annotated["AiTestSchedule", strawberry.lazy("graph.ai_tests.schedules")] | None = (
        related(
            ScheduleById, "schedule_id", description="The schedule that created it. Null if none."
        )
    )


@value
class AiTestClaim:
    """The right of one worker to run a test, until its lease expires."""

    claim_id: strawberry.ID = field("Send it as `claimId` with the result.")
    attempt: int = field("Number of this attempt, from 1.")
    max_attempts: int = field("Number of attempts after which the test is FAILED.")
    claimed_until: datetime = field("When the lease expires unless it is extended.")
    ai_test: AiTest | None = field("The test, which is RUNNING.", default=None)


@value
class ClaimedAiTests:
    """The tests that were claimed."""

    claims: list[AiTestClaim] = field(
        "The claims, longest waiting first; empty if no test waits.", cost=0, default_factory=list
    )


@value
class ExtendedAiTestClaims:
    """The claims that were extended, and those that do not hold any more."""

    extended_claim_ids: list[strawberry.ID] = field(
        "IDs of the claims that were extended.", cost=0, default_factory=list
    )
    lost_claim_ids: list[strawberry.ID] = field(
        "IDs of claims that do not hold any more: stop working on their tests.",
        cost=0,
        default_factory=list,
    )


def shown(claimed: Claimed) -> AiTestClaim:
    entry = claimed.entry
    assert entry.claim_id and entry.claimed_until  # noqa: S101, PT018  it was just claimed
    return AiTestClaim(
        claim_id=strawberry.ID(str(entry.claim_id)),
        attempt=entry.attempts,
        max_attempts=entry.max_attempts,
        claimed_until=entry.claimed_until,
        ai_test=as_source(claimed.test),
    )


# Inputs


@filters(db.queue.LISTING)
class QueuedAiTestFilter:
    """Filter conditions on tests of the work queue. All given conditions must hold."""


@orders(db.queue.LISTING)
class QueuedAiTestOrder:
    """Sort order for tests of the work queue."""


LEASE = validation.within(*LEASES)
Models = validation.each(50, validation.string())


@checked(db.queue.QueuedAiTest)
@input_type
class ClaimAiTestsInput:
    """The input fields to claim waiting tests."""

    provider: str = field("Provider of the models that the worker can run.")
    models: list[str] | None = field(
        "Names of these models; all models of the provider if omitted.",
        check=Models,
        default=UNSET,
    )
    limit: int = field(
        f"The most tests to claim, 1 to {MAX_CLAIMS}.",
        check=validation.within(1, MAX_CLAIMS),
        default=1,
    )
    lease_seconds: int = field(LEASE_SAID, check=LEASE, default=60)
    worker: str | None = field("Name of the worker, for people.", default=UNSET)


@input_type
class ExtendAiTestClaimsInput:
    """The input fields to extend claims."""

    claim_ids: list[strawberry.ID] = field(
        "IDs of the claims.", check=validation.each(MAX_CLAIMS, CLAIM_ID)
    )
    lease_seconds: int = field(LEASE_SAID, check=LEASE, default=60)


@input_type
class ReleaseAiTestInput:
    """The input fields to give a claimed test back."""

    id: strawberry.ID = field("ID of the test.", check=TEST)
    claim_id: strawberry.ID = field("ID of the claim.", check=CLAIM_ID)
    reason: str | None = field(
        "Why the attempt failed. Without a reason the attempt does not count, and the test may be "
        "claimed at once.",
        check=validation.string(2_000),
        default=UNSET,
    )


def claim_of(info: Info, id: str | None) -> Claim | None:
    """The claim of the caller with this ID, which was checked; None without one."""
    return None if id is None else own_claim(info, id)


def own_claim(info: Info, id: str) -> Claim:
    return Claim(UUID(id), info.context.principal.owner)


def check_may_work(info: Info, dream: db.dreams.Dream) -> db.dreams.Dream:
    """Raises Forbidden."""
    principal = info.context.principal
    own = principal.may(WORK) and principal.owns(dream.user_id)
    if not own and not principal.may(WORK_ALL):
        raise errors.Forbidden("You may not work on tests of this dream.")
    return dream


# Operations


@strawberry.type
class Queries:
    queued_ai_tests: Connection[QueuedAiTest] = listed(
        db.queue.LISTING, "Tests in the work queue, newest first.", READ
    )


@strawberry.type
class Mutations:
    @mutation(
        "Claim tests that wait, those that have waited longest first. The claimed tests are "
        "RUNNING, and only the caller may complete, fail or release them, until the lease expires. "
        "Then they wait again, or are FAILED after their last attempt. Members claim tests of "
        "their own dreams, operators of all dreams that they see.",
        WORK,
        ClaimedAiTests,
    )
    async def claim_ai_tests(self, info: Info, input: Input[ClaimAiTestsInput]) -> ClaimedAiTests:
        principal = info.context.principal
        wanted = Wanted(
            principal.owner,
            input.provider,
            input.limit,
            timedelta(seconds=input.lease_seconds),
            or_none(input.models),
            or_none(input.worker),
            owner_id=limited_to(info),
        )
        async with info.context.db.write(audit_context(info)) as session:
            claimed = await claims.claim(session, wanted)
        return ClaimedAiTests(claims=[shown(each) for each in claimed])

    @mutation(
        "Extend claims of the caller: their leases begin again now. Call it a few times in each "
        "lease.",
        WORK,
        ExtendedAiTestClaims,
    )
    async def extend_ai_test_claims(
        self, info: Info, input: Input[ExtendAiTestClaimsInput]
    ) -> ExtendedAiTestClaims:
        ids = {id: UUID(id) for id in input.claim_ids}
        lease = timedelta(seconds=input.lease_seconds)
        async with info.context.db.write(audit_context(info)) as session:
            holder = info.context.principal.owner
            held = await claims.extend(session, holder, ids.values(), lease)
        extended = [sent for sent, id in ids.items() if id in held]
        lost = [sent for sent, id in ids.items() if id not in held]
        return ExtendedAiTestClaims(extended_claim_ids=extended, lost_claim_ids=lost)

    @mutation(
        "Give a claimed test back after an attempt that failed: it waits, 10 seconds after the "
        "first attempt and twice as long after each further one, at most an hour; after its last "
        "attempt it is FAILED.",
        WORK,
        AiTest,
    )
    async def release_ai_test(
        self, info: Info, input: Input[ReleaseAiTestInput]
    ) -> db.ai_tests.AiTest:
        tests = db.ai_tests.AiTest
        id, claim = id_of_table(input.id, tests), own_claim(info, input.claim_id)
        async with info.context.db.write(audit_context(info)) as session:
            dream = check_may_work(info, await writes.dream_of(session, id))
            test = await get_for_update(session, tests, id)
            return await claims.release(session, dream, test, claim, or_none(input.reason))


def limited_to(info: Info) -> UUID | None:
    """The user whose dreams the caller may work on; None for all dreams."""
    principal = info.context.principal
    return None if principal.may(WORK_ALL) else principal.user_id or UUID(int=0)
