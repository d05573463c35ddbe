"""Types: dreams, and statistics of their tests over time."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import strawberry
from strawberry import UNSET

import db
from db import ReadSession
from db.core.query.batch import Key
from db.core.query.time_range import TimeRange
from db.core.session.database import ResultRow
from db.dreams import DreamCategory as DreamCategory, DreamStatus as DreamStatus
from db.timeline import DreamStageKind as DreamStageKind
from graph.core.context import Info, as_source
from graph.core.loader import Latest, Loader, One, Pages, by_id
from graph.core.permission import PUBLIC
from graph.core.principal import Principal
from graph.core.types.connection import Connection, connected
from graph.core.types.facets import Facet, facet, facets
from graph.core.types.field import enum, field, related, value
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import Bucket, From, To, Width, reveals_time, time_range
from graph.dreams.rights import may_change, may_test
from graph.users import User, UserById

if TYPE_CHECKING:
    from graph.ai_tests import AiTest, AiTestConnection
    from graph.attachments import Attachment
    from graph.progress import ProgressLog

# Values


@value
class DecayPoint:
    """Statistics of a dream's completed tests within one bucket of time."""

    bucket: datetime = field("Start of the bucket, in UTC.")
    average_score: float | None = field(
        "Mean score of the scored tests, 0 to 100. Null without scored tests."
    )
    best_score: float | None = field("Lowest score. Null without scored tests.")
    test_count: int = field("Number of completed tests, with or without a score.")
    scored_test_count: int = field("Number of completed tests with a score.")


@value
class DreamTotals:
    """Total use of tokens and money by the tests of a dream."""

    test_count: int = field("Number of tests in any status.")
    total_tokens: BigInt = field("Total tokens used, over tests that reported them.")
    total_cost: Decimal = field("Total cost in US dollars, over tests that reported it.")


# Loaders


DreamById = by_id(db.dreams.Dream)


class DreamBySlug(One[db.dreams.Dream]):
    table = db.dreams.Dream
    columns = (db.dreams.Dream.slug,)


class RemixesByDream(Pages):
    listing = db.dreams.LISTING
    columns = (db.dreams.Dream.remixed_from_id,)


class AiTestsByDream(Pages):
    listing = db.ai_tests.LISTING
    columns = (db.ai_tests.AiTest.dream_id,)


class LatestTestByDream(Latest):
    listing = db.ai_tests.LISTING
    columns = (db.ai_tests.AiTest.dream_id,)


class AttachmentsByDream(Pages):
    listing = db.attachments.LISTING
    columns = (db.attachments.Attachment.dream_id,)


class ProgressByDream(Pages):
    listing = db.progress.LISTING
    columns = (db.progress.ProgressLog.dream_id,)


class LatestProgressByDream(Latest):
    listing = db.progress.LISTING
    columns = (db.progress.ProgressLog.dream_id,)


class TotalsByDream(Loader[ResultRow | DreamTotals]):
    missing = DreamTotals(test_count=0, total_tokens=BigInt(0), total_cost=Decimal(0))

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, ResultRow]:
        return await db.ai_tests.totals(session, keys)


class DecayByDream(Loader[Sequence[ResultRow], TimeRange, Bucket]):
    missing = ()

    async def found(
        self, session: ReadSession, keys: Sequence[Key]
    ) -> Mapping[Key, Sequence[ResultRow]]:
        return await db.ai_tests.decays(session, keys, *self.arguments)


class StagesByDream(Pages):
    listing = db.timeline.LISTING
    columns = (db.audit.AuditEntry.entity_id,)
    of_visible_parents = True


# Types

enum(
    DreamStageKind,
    COCOON="A draft: the dream has the status DRAFT.",
    EMERGING="The dream was published: `isPublic` became true.",
    HIDDEN="The dream was made private: `isPublic` became false.",
    ACTIVE="Models are tested: the dream has the status ACTIVE.",
    ACHIEVED="No longer impossible: the dream has the status ACHIEVED.",
    ARCHIVED="The dream has the status ARCHIVED.",
)

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
    OTHER="Anything else. Treat unknown categories as this one.",
)

enum(
    DreamStatus,
    DRAFT="Draft, not tested yet.",
    ACTIVE="Tested regularly.",
    ACHIEVED="No longer impossible.",
    ARCHIVED="Archived by its owner.",
)


def viewer_may(description: str, may: Callable[[Principal, UUID | None], bool]) -> bool:
    """A field that says what the viewer may do with a dream."""

    def resolve(root: db.dreams.Dream, info: Info) -> bool:
        return may(info.context.principal, root.user_id)

    shown: bool = field(
        f"Whether the viewer may {description}.", resolver=resolve, reads=("user_id",), cost=0
    )
    return shown


@value
class DreamStage:
    """The begin of a stage of a dream. The stages that DreamNet calls COCOON, EMERGING, ACTIVE and
    ACHIEVED are the status DRAFT, the publication, and the status ACTIVE and ACHIEVED."""

    stage: DreamStageKind = field("The stage.", resolver=lambda root: db.timeline.stage_of(root))
    at: datetime = field("When it began.", resolver=lambda root: root.created_at)
    operation: str = field(
        "What began it, for example `createDream`, or `recordAiTest` where a score achieved it."
    )
    actor: User | None = related(
        UserById,
        "actor",
        description="The user who began it. Null for the gateway's own work, and after the user "
        "was deleted.",
    )


@node(db.dreams.Dream, access=PUBLIC)
class Dream(Node):
    """Something AI cannot do yet, in the words of the person who wants it. AI models are tested
    against it, and its impossibility decays as they improve."""

    title: str = field("Title of the dream.")
    slug: str = field(
        "Name of the dream in addresses: the words of its first title and a few characters that "
        "make it unique. It never changes."
    )
    description: str | None = field("Description of what a good response must do.")
    original_prompt: str | None = field("The prompt that models are given.")
    category: DreamCategory = field("The ability that the dream asks for.")
    tags: list[str] = field("Free-form labels.")
    is_public: bool = field("Whether the dream is visible to everyone.")
    status: DreamStatus = field("Status of the dream.")
    version: int = field(
        "Increases by one with each edit. Send it as `expectedVersion` to detect concurrent edits."
    )
    created_at: datetime = field("When the dream was created.")
    updated_at: datetime = field("When the dream was last updated.")
    owner: User | None = related(
        UserById,
        "user_id",
        description="The user who owns the dream. Null for imported dreams and after the user was "
        "deleted.",
    )
    remixed_from: Annotated["Dream", strawberry.lazy("graph.dreams")] | None = related(
        DreamById, "remixed_from_id", description="The dream that this one is a remix of."
    )
    remixes: Annotated["DreamConnection", strawberry.lazy("graph.dreams.types")] = connected(
        RemixesByDream, "id", description="Remixes of this dream."
    )
    tests: Annotated["AiTestConnection", strawberry.lazy("graph.ai_tests")] = connected(
        AiTestsByDream, "id", description="Tests of this dream."
    )
    latest_test: Annotated["AiTest", strawberry.lazy("graph.ai_tests")] | None = related(
        LatestTestByDream,
        "id",
        description="The most recently started test, in any status. Among tests started in the "
        "same microsecond, the one with the highest ID.",
    )
    progress: Connection[Annotated["ProgressLog", strawberry.lazy("graph.progress")]] = connected(
        ProgressByDream,
        "id",
        description="Progress logs of this dream: its impossibility after each scored test.",
    )
    latest_progress: Annotated["ProgressLog", strawberry.lazy("graph.progress")] | None = related(
        LatestProgressByDream,
        "id",
        description="The log of the latest completed and scored test: the current impossibility.",
    )
    attachments: Connection[Annotated["Attachment", strawberry.lazy("graph.attachments")]] = (
        connected(
            AttachmentsByDream,
            "id",
            description="Files of this dream, and for who may read tests also of these.",
        )
    )
    timeline: Connection[DreamStage] = connected(
        StagesByDream,
        "id",
        description="Stages of this dream, newest first. Imported "
        "dreams have none before their first change.",
    )
    average_impossibility: float | None = field(
        "The `averageImpossibility` of `latestProgress`: mean over models of each model's latest "
        "completed score, 0 to 100. Null without scored tests."
    )
    best_score: float | None = field("Lowest score so far, 0 to 100. Null without scored tests.")
    improvement_trend: float | None = field(
        "The `improvementTrend` of `latestProgress`: percentage by which `averageImpossibility` "
        "decreased within the 30 days or more before `lastTestedAt`. Null if unknown."
    )
    test_count: int = field("Number of completed tests with a score.")
    last_tested_at: datetime | None = field(
        "When the latest completed and scored test was started. Null without scored tests."
    )
    viewer_can_edit: bool = viewer_may("edit the dream, and change its status", may_change)
    viewer_can_delete: bool = viewer_may("delete the dream", may_change)
    viewer_can_test: bool = viewer_may("record tests of the dream", may_test)
    totals: DreamTotals = related(
        TotalsByDream,
        "id",
        description="Total use of tokens and money by the tests of this dream.",
        cost=5,
    )

    @field(
        "Statistics of the completed tests over time, oldest first. Buckets without tests are "
        "omitted. The last 30 days by default; `lastTestedAt` says where the newest tests are.",
        cost=10,
        reveals=reveals_time(db.ai_tests.AiTest.created_at),
        reads=("id",),
    )
    async def decay(
        self, info: Info, from_: From = UNSET, to: To = UNSET, bucket: Width = Bucket.DAY
    ) -> list[DecayPoint]:
        loader = DecayByDream.of(info, await time_range(info, from_, to), bucket)
        return as_source(await loader.load(self.id))


@value
class DreamFacets:
    """Numbers of dreams by the values of some fields."""

    by_status: list[Facet[DreamStatus]] = facet("status", DreamStatus)
    by_category: list[Facet[DreamCategory]] = facet("category", DreamCategory)


@value
class DreamConnection(Connection[Dream]):
    """A page of a list of dreams."""

    facets: DreamFacets = facets(DreamFacets)
