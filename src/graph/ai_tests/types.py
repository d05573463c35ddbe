"""Types: AI tests, and statistics of them."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry.scalars import JSON

import db
from db.ai_tests import AiTestStatus as AiTestStatus
from db.dreams import DreamCategory
from db.users import Role
from graph.ai_models.types import (
    AVERAGE_CONFIDENCE,
    AVERAGE_DURATION,
    AVERAGE_SCORE,
    SCORED_TEST_COUNT,
    TEST_COUNT,
    TOTAL_COST,
    AiModel,
    AiModelByName,
)
from graph.core.loader import Pages, by_id
from graph.core.permission import TESTS, scope
from graph.core.types.aggregate import ConfidenceInterval, interval
from graph.core.types.connection import Connection, connected
from graph.core.types.facets import Facet, facet, facets
from graph.core.types.field import column, enum, field, related, value
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt
from graph.dreams import Dream, DreamById
from graph.users import User, UserById

if TYPE_CHECKING:
    from graph.ai_tests.queue import QueuedAiTest
    from graph.attachments import Attachment

READ = scope("tests:read", role=Role.MEMBER)
# The result of a mutation is readable with the scope for the mutation.

QueuedById = by_id(db.queue.QueuedAiTest)


class AttachmentsByAiTest(Pages):
    listing = db.attachments.LISTING
    columns = (db.attachments.Attachment.ai_test_id,)


BUCKET = "Start of the bucket, in UTC. Null without a bucket."


def score_interval() -> ConfidenceInterval | None:
    return interval("averageScore", "scored_test_count", "score_total", "squared_score", 0, 100)


# Types

enum(
    AiTestStatus,
    PENDING="Not yet started.",
    RUNNING="In progress.",
    COMPLETED="Finished. Has a score if the response was judged.",
    FAILED="Finished without a usable response.",
    CANCELLED="Cancelled before it finished.",
)


@node(db.ai_tests.AiTest, access=TESTS)
class AiTest(Node):
    """A run of an AI model on a dream."""

    provider: str = field(
        "Provider of the model, in lower case. New providers may appear at any time."
    )
    model: str = field("Name of the model, as its provider spells it.")
    status: AiTestStatus = field("Status of the test.")
    impossibility_score: float | None = field(
        "From 0 (the model did what the dream asks) to 100 (it failed entirely). Null if the "
        "response was not judged."
    )
    confidence: float | None = field("Confidence of the judge in the score, 0 to 100.")
    reasoning: str | None = field("The judge's reasons for the score.")
    duration_ms: BigInt | None = column("duration", "Duration of the test in milliseconds.")
    tokens_used: BigInt | None = field("Input and output tokens together.")
    cost: Decimal | None = field("Cost in US dollars.")
    is_cost_derived: bool = column(
        "cost_derived",
        "Whether the cost was computed from the tokens and the model's price at the time of the "
        "test.",
    )
    test_parameters: JSON = field("Parameters of the test, as free-form JSON.")
    completed_at: datetime | None = field("When the test finished.")
    created_at: datetime = field("When the test was started.")
    dream: Dream = related(DreamById, "dream_id", description="The dream that was tested.")
    user: User | None = related(
        UserById, "user_id", description="The user who ran the test. Null for imported tests."
    )
    ai_model: AiModel | None = related(
        AiModelByName,
        "provider",
        "model",
        description="The registered model. Null if the model is not registered.",
    )
    queue: Annotated["QueuedAiTest", strawberry.lazy("graph.ai_tests.queue")] | None = related(
        QueuedById,
        "id",
        description="Its place in the work queue. Null if the test is in none: it ended, or is run "
        "by the client that started it.",
    )
    attachments: Connection[Annotated["Attachment", strawberry.lazy("graph.attachments")]] = (
        connected(AttachmentsByAiTest, "id", description="Files of this test.")
    )


@value
class AiTestFacets:
    """Numbers of tests by the values of some fields."""

    by_status: list[Facet[AiTestStatus]] = facet("status", AiTestStatus)


@value
class AiTestConnection(Connection[AiTest]):
    """A page of a list of AI tests."""

    facets: AiTestFacets = facets(AiTestFacets)


@value
class ModelComparison:
    """Statistics of the completed tests of one model within a time range, or one bucket of it."""

    bucket: datetime | None = field(BUCKET)
    provider: str = field("Provider of the model.")
    model: str = field("Name of the model.")
    average_score: float | None = field(AVERAGE_SCORE)
    confidence_interval: ConfidenceInterval | None = score_interval()
    average_confidence: float | None = field(AVERAGE_CONFIDENCE)
    average_duration_ms: float | None = field(AVERAGE_DURATION)
    test_count: int = field(TEST_COUNT)
    scored_test_count: int = field(SCORED_TEST_COUNT)
    total_cost: Decimal | None = field(TOTAL_COST)


@value
class CategoryPerformance:
    """Statistics of one category within a time range, or one bucket of it: the completed tests of
    its ACTIVE dreams."""

    bucket: datetime | None = field(BUCKET)
    category: DreamCategory = field("The category.")
    dream_count: int | None = field(
        "Number of dreams with completed tests. Null in a bucket. Of chosen models or providers, "
        "and of a window that has ended more than a day ago, null beyond 31 days: the dreams of "
        "two months are not the sum of those of each."
    )
    average_score: float | None = field(AVERAGE_SCORE)
    confidence_interval: ConfidenceInterval | None = score_interval()
    test_count: int = field(TEST_COUNT)
    scored_test_count: int = field(SCORED_TEST_COUNT)
