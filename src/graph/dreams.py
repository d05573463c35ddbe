"""Dreams: things AI cannot do yet, and how impossible they still are."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET, Maybe

import db
from db import ReadSession, WriteSession
from db.core import errors
from db.core.batch import Key
from db.dreams import DreamCategory, DreamStatus
from graph.core.connection import Connection, connected, listed
from graph.core.context import Info
from graph.core.errors import Conflict, Forbidden, Invalid, NotFound
from graph.core.field import enum, field, related, value
from graph.core.filter import filters, orders, relation
from graph.core.loader import Latest, Loader, One, Pages
from graph.core.mutation import (
    Given,
    existing,
    given,
    id_in,
    idempotency_key,
    once,
    result,
    values,
    writing,
)
from graph.core.node import IdOf, Node, load, node
from graph.core.permission import ADMIN, MEMBER, PUBLIC
from graph.core.scalars import BigInt
from graph.core.span import Bucket, From, To, Width, span
from graph.users import User, UserById

if TYPE_CHECKING:
    from graph.ai_tests import AiTest, AiTestFilter
    from graph.progress import ProgressLog

# Values


@value
class DecayPoint:
    """The scores of one dream in one stretch of time."""

    bucket: datetime = field("Start of the stretch, in UTC.")
    average_impossibility: float = field("Mean score of its tests, 0 to 100.")
    best_score: float = field("Lowest score of its tests, 0 to 100.")
    test_count: int = field("Number of completed and scored tests.")


@value
class DreamTotals:
    """What has been spent on one dream so far."""

    test_count: int = field("Number of tests, whatever their state.")
    total_tokens: BigInt = field("Tokens used by all tests that told.")
    total_cost: Decimal = field("Cost of all tests that told, in US dollars.")


# Loaders


class DreamById(One):
    table = db.dreams.Dream
    columns = (db.dreams.Dream.id,)


class RemixesByDream(Pages):
    listing = db.dreams.LISTING
    columns = (db.dreams.Dream.remixed_from_id,)


class AiTestsByDream(Pages):
    listing = db.ai_tests.LISTING
    columns = (db.ai_tests.AiTest.dream_id,)


class LatestTestByDream(Latest):
    listing = db.ai_tests.LISTING
    columns = (db.ai_tests.AiTest.dream_id,)


class ProgressByDream(Pages):
    listing = db.progress.LISTING
    columns = (db.progress.ProgressLog.dream_id,)


class LatestProgressByDream(Latest):
    listing = db.progress.LISTING
    columns = (db.progress.ProgressLog.dream_id,)


class TotalsByDream(Loader):
    missing = DreamTotals(test_count=0, total_tokens=BigInt(0), total_cost=Decimal(0))

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await db.ai_tests.totals(session, keys)


class DecayByDream(Loader):
    missing = ()

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await db.ai_tests.decays(session, keys, *self.arguments)


# Types

DRAFT, ACTIVE, ACHIEVED, ARCHIVED = DreamStatus

enum(
    DreamCategory,
    CODING="Writing and changing programs.",
    REASONING="Drawing conclusions over several steps.",
    SCIENCE="Knowledge and methods of the sciences.",
    MATH="Calculation and proof.",
    CREATIVE="Stories, music, design.",
    LANGUAGE="Understanding and writing texts.",
    VISION="Understanding and making images.",
    AGENTIC="Acting over many steps with tools.",
    OTHER="Anything else; also what clients should take an unknown category for.",
)

enum(
    DreamStatus,
    DRAFT="Being written; not tested yet.",
    ACTIVE="Tested again and again.",
    ACHIEVED="No longer impossible.",
    ARCHIVED="Put away by its owner.",
)


@node(db.dreams.Dream, access=PUBLIC)
class Dream(Node):
    """Something AI cannot do yet, in the words of the person who wants it. AI models are tested
    against it, and its impossibility decays as they improve."""

    title: str = field("Short name.")
    description: str | None = field("What a good answer has to do, in words.")
    original_prompt: str | None = field("The prompt that models are given, as it was written.")
    category: DreamCategory = field("The kind of ability it asks for.")
    tags: list[str] = field("Free labels.")
    is_public: bool = field("Whether everybody may see it.")
    status: DreamStatus = field("Where it is in its life.")
    version: int = field("Grows by one with each edit; send it back as `expectedVersion`.")
    created_at: datetime = field("When it was written.")
    updated_at: datetime = field("When it was last changed.")
    owner: User | None = related(
        UserById, "user_id", description="Who wrote it; null for imported dreams."
    )
    remixed_from: Annotated["Dream", strawberry.lazy("graph.dreams")] | None = related(
        DreamById, "remixed_from_id", description="The dream that this one varies."
    )
    remixes: Connection[Annotated["Dream", strawberry.lazy("graph.dreams")]] = connected(
        RemixesByDream, "id", description="Dreams that vary this one."
    )
    tests: Connection[Annotated["AiTest", strawberry.lazy("graph.ai_tests")]] = connected(
        AiTestsByDream, "id", description="Its tests."
    )
    latest_test: Annotated["AiTest", strawberry.lazy("graph.ai_tests")] | None = related(
        LatestTestByDream, "id", description="Its newest test, whatever its state."
    )
    progress: Connection[Annotated["ProgressLog", strawberry.lazy("graph.progress")]] = connected(
        ProgressByDream, "id", description="How impossible it was after each completed test."
    )
    latest_progress: Annotated["ProgressLog", strawberry.lazy("graph.progress")] | None = related(
        LatestProgressByDream, "id", description="How impossible it is now."
    )
    totals: DreamTotals = related(
        TotalsByDream, "id", description="What has been spent on it so far.", cost=5
    )

    @field(
        "Its scores over time: completed and scored tests; the last 30 days by default.", cost=10
    )
    async def decay(
        self, info: Info, from_: From = UNSET, to: To = UNSET, bucket: Width = Bucket.DAY
    ) -> list[DecayPoint]:
        return await DecayByDream.of(info, span(from_, to), bucket).load(self.id)


# Inputs


@filters(db.dreams.LISTING)
class DreamFilter:
    """Conditions on dreams; all given must hold."""

    tests: Annotated["AiTestFilter", strawberry.lazy("graph.ai_tests")] | None = relation(
        "Some test fulfils this."
    )


@orders(db.dreams.LISTING)
class DreamOrder:
    """Order of dreams."""


@given
class CreateDreamInput:
    """A new dream of the viewer."""

    title: str = field("Short name, 1 to 200 characters.")
    description: str | None = field("What a good answer has to do.", default=UNSET)
    original_prompt: str | None = field("The prompt that models will be given.", default=UNSET)
    category: DreamCategory = field("The kind of ability it asks for.", default=DreamCategory.OTHER)
    tags: list[str] = field("Free labels, at most 50.", default_factory=list)
    is_public: bool = field("Whether everybody may see it.", default=False)
    status: DreamStatus = field("Where it starts: DRAFT or ACTIVE.", default=DreamStatus.ACTIVE)
    idempotency_key: str | None = idempotency_key()


@given
class EditDreamInput:
    """Changes to a dream; what is left out stays as it is."""

    id: strawberry.ID = field("The dream.")
    expected_version: int | None = field("Its version when it was read.", default=UNSET)
    title: Maybe[str] = field("Short name, 1 to 200 characters.")
    description: Maybe[str | None] = field("What a good answer has to do.")
    original_prompt: Maybe[str | None] = field("The prompt that models are given.")
    category: Maybe[DreamCategory] = field("The kind of ability it asks for.")
    tags: Maybe[list[str]] = field("Free labels, at most 50.")


@given
class DreamInput:
    """A dream of the viewer."""

    id: strawberry.ID = field("The dream.")


@given
class RemixDreamInput:
    """A dream that varies another; what is left out is taken from that one."""

    id: strawberry.ID = field("The dream to vary.")
    title: Maybe[str] = field("Short name, 1 to 200 characters.")
    description: Maybe[str | None] = field("What a good answer has to do.")
    original_prompt: Maybe[str | None] = field("The prompt that models will be given.")
    idempotency_key: str | None = idempotency_key()


# Results


@value
class DreamDeleted:
    """A dream that is gone."""

    deleted_dream_id: strawberry.ID = field("The id it had.")
    deleted_test_count: int = field("Number of its tests, which are gone with it.")


CreateDreamResult = result("CreateDreamResult", Dream, Invalid, Conflict)
EditDreamResult = result("EditDreamResult", Dream, NotFound, Forbidden, Invalid, Conflict)
ChangeDreamResult = result("ChangeDreamResult", Dream, NotFound, Forbidden, Conflict)
RemixDreamResult = result("RemixDreamResult", Dream, NotFound, Invalid, Conflict)
DeleteDreamResult = result("DeleteDreamResult", DreamDeleted, NotFound, Forbidden)

# Operations


@strawberry.type
class Queries:
    dreams: Connection[Dream] = listed(db.dreams.LISTING, "Dreams, newest first.", PUBLIC)

    @field("The dream with that id; null if there is none.", PUBLIC)
    async def dream(self, info: Info, id: IdOf) -> Dream | None:
        return await load(info, id, db.dreams.Dream)


def may_change(info: Info, dream: Any) -> None:
    """Raises Forbidden for who neither wrote the dream nor is an administrator."""
    who = info.context.principal
    if not who.may(ADMIN) and (who.user_id is None or dream.user_id != who.user_id):
        raise errors.Forbidden("Only its owner may change a dream.")


def changing(description: str, change: Callable[[WriteSession, Any], Awaitable[Any]]) -> Any:
    """A mutation that takes a dream and changes it in one way."""

    async def resolve(info: Info, input: Given[DreamInput]) -> Any:
        async with writing(info, db.dreams.Dream, input.id) as (session, dream):
            may_change(info, dream)
            return await change(session, dream)

    return field(description, MEMBER, resolve, graphql_type=ChangeDreamResult)


def becoming(status: DreamStatus, *before: DreamStatus) -> Callable[..., Awaitable[Any]]:
    """The change that moves a dream from one of some states to another."""
    return lambda session, dream: db.dreams.move(session, dream, status, *before)


def showing(is_public: bool) -> Callable[..., Awaitable[Any]]:
    """The change that lets everybody see a dream, or nobody else."""
    return lambda session, dream: db.dreams.edit(session, dream, is_public=is_public)


@strawberry.type
class Mutations:
    publish_dream = changing("Let everybody see a dream.", showing(True))
    unpublish_dream = changing("Let nobody else see a dream.", showing(False))
    archive_dream = changing("Put a dream away.", becoming(ARCHIVED, DRAFT, ACTIVE, ACHIEVED))
    revive_dream = changing(
        "Have a dream tested again.", becoming(ACTIVE, DRAFT, ACHIEVED, ARCHIVED)
    )
    achieve_dream = changing(
        "Say that a dream is no longer impossible.", becoming(ACHIEVED, ACTIVE)
    )

    @field("Write a dream.", MEMBER, graphql_type=CreateDreamResult)
    async def create_dream(self, info: Info, input: Given[CreateDreamInput]) -> Any:
        owner, dream = info.context.principal.user_id, values(input)
        return await once(
            info, db.dreams.Dream, input, lambda s: db.dreams.create(s, owner, **dream)
        )

    @field("Change the words of a dream.", MEMBER, graphql_type=EditDreamResult)
    async def edit_dream(self, info: Info, input: Given[EditDreamInput]) -> Any:
        version = input.expected_version or None
        async with writing(info, db.dreams.Dream, input.id, version) as (session, dream):
            may_change(info, dream)
            return await db.dreams.edit(session, dream, **values(input))

    @field("Write a private draft that varies a dream.", MEMBER, graphql_type=RemixDreamResult)
    async def remix_dream(self, info: Info, input: Given[RemixDreamInput]) -> Any:
        async def remix(session: WriteSession) -> Any:
            source = await existing(session, db.dreams.Dream, id_in(input.id, db.dreams.Dream))
            owner = info.context.principal.user_id
            return await db.dreams.remix(session, source, owner, **values(input))

        return await once(info, db.dreams.Dream, input, remix)

    @field("Remove a dream with its tests.", MEMBER, graphql_type=DeleteDreamResult)
    async def delete_dream(self, info: Info, input: Given[DreamInput]) -> Any:
        async with writing(info, db.dreams.Dream, input.id) as (session, dream):
            may_change(info, dream)
            tests = await db.dreams.remove(session, dream)
        return DreamDeleted(deleted_dream_id=input.id, deleted_test_count=tests)
