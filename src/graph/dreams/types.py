"""Types: dreams, and what is known of them over time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db import ReadSession
from db.core.query.batch import Key
from db.dreams import DreamCategory as DreamCategory, DreamStatus as DreamStatus
from graph.core.context import Info
from graph.core.loader import Latest, Loader, One, Pages
from graph.core.permission import PUBLIC
from graph.core.types.connection import Connection, connected
from graph.core.types.field import enum, field, related, value
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import Bucket, From, To, Width, reveals_time, time_range
from graph.users import User, UserById

if TYPE_CHECKING:
    from graph.ai_tests import AiTest
    from graph.progress import ProgressLog

# Values


@value
class DecayPoint:
    """The completed tests of one dream in one stretch of time, whether they were scored or not."""

    bucket: datetime = field("Start of the stretch, in UTC.")
    average_impossibility: float | None = field(
        "Mean score of the scored tests, 0 to 100; null without any."
    )
    best_score: float | None = field("Lowest of these scores; null without any.")
    test_count: int = field("Number of completed tests, scored or not.")
    scored_test_count: int = field("Number of completed tests that have a score.")


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
        LatestTestByDream,
        "id",
        description="The test started last, whatever its state; of tests started at the same "
        "microsecond, the one with the highest id.",
    )
    progress: Connection[Annotated["ProgressLog", strawberry.lazy("graph.progress")]] = connected(
        ProgressByDream, "id", description="How impossible it was after each completed test."
    )
    latest_progress: Annotated["ProgressLog", strawberry.lazy("graph.progress")] | None = related(
        LatestProgressByDream,
        "id",
        description="How impossible it is now: the log of its latest completed and scored test.",
    )
    totals: DreamTotals = related(
        TotalsByDream, "id", description="What has been spent on it so far.", cost=5
    )

    @field(
        "Its completed tests over time, oldest first; where none was completed, there is no point. "
        "The last 30 days by default.",
        cost=10,
        reveals=reveals_time(db.ai_tests.AiTest.created_at),
    )
    async def decay(
        self, info: Info, from_: From = UNSET, to: To = UNSET, bucket: Width = Bucket.DAY
    ) -> list[DecayPoint]:
        return await DecayByDream.of(info, await time_range(info, from_, to), bucket).load(self.id)
