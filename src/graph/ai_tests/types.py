"""Types: an AI test, and what tests say when taken together."""

from datetime import datetime
from decimal import Decimal

from strawberry.scalars import JSON

import db
from db.ai_tests import AiTestStatus as AiTestStatus
from db.dreams import DreamCategory
from db.users import Role
from graph.ai_models import (
    AVERAGE_CONFIDENCE,
    AVERAGE_DURATION,
    AVERAGE_SCORE,
    SCORED_TEST_COUNT,
    TEST_COUNT,
    TOTAL_COST,
    AiModel,
    AiModelByName,
)
from graph.core.loader import One
from graph.core.permission import scope
from graph.core.types.field import column, enum, field, related, value
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt
from graph.dreams import Dream, DreamById
from graph.users import User, UserById

READ = scope("tests:read", role=Role.MEMBER)
WRITE = scope("tests:write", role=Role.MEMBER)
# The result of a mutation is readable with the scope for the mutation.
READ_OR_WRITE = scope("tests:read", "tests:write", role=Role.MEMBER)

# Loaders


class AiTestById(One):
    table = db.ai_tests.AiTest
    columns = (db.ai_tests.AiTest.id,)


# Types

enum(
    AiTestStatus,
    PENDING="Not started.",
    RUNNING="Under way.",
    COMPLETED="Ended; it has a score if anybody judged it.",
    FAILED="Ended without a usable answer.",
    CANCELLED="Not carried out.",
)


@node(db.ai_tests.AiTest, access=READ_OR_WRITE)
class AiTest(Node):
    """One try of one AI model at one dream."""

    provider: str = field("Vendor of the model, in lower case; new ones may appear any time.")
    model: str = field("Name of the model, as its vendor spells it.")
    status: AiTestStatus = field("Where the test is.")
    impossibility_score: float | None = field(
        "0 when the model did what was dreamt of, 100 when it failed altogether; null when nobody "
        "judged the answer."
    )
    confidence: float | None = field("How sure the judge was of the score, 0 to 100.")
    reasoning: str | None = field("Why the judge gave that score.")
    duration_ms: BigInt | None = column("duration", "How long the model took, in milliseconds.")
    tokens_used: BigInt | None = field("Tokens of prompt and answer together.")
    cost: Decimal | None = field("Cost in US dollars.")
    is_cost_derived: bool = column(
        "cost_derived", "Whether the cost was computed from tokens and the model's price."
    )
    test_parameters: JSON = field("How the test was run, in the terms of whoever ran it.")
    completed_at: datetime | None = field("When it ended.")
    created_at: datetime = field("When it was started.")
    dream: Dream = related(DreamById, "dream_id", description="The dream that was tried.")
    user: User | None = related(
        UserById, "user_id", description="Who had it run; null for imported tests."
    )
    ai_model: AiModel | None = related(
        AiModelByName,
        "provider",
        "model",
        description="The model as registered; null when it is not.",
    )


@value
class ModelComparison:
    """The completed tests of one model in a span of time, whether they were scored or not."""

    provider: str = field("Vendor of the model.")
    model: str = field("Name of the model.")
    average_impossibility: float | None = field(AVERAGE_SCORE)
    average_confidence: float | None = field(AVERAGE_CONFIDENCE)
    average_duration_ms: float | None = field(AVERAGE_DURATION)
    test_count: int = field(TEST_COUNT)
    scored_test_count: int = field(SCORED_TEST_COUNT)
    total_cost: Decimal | None = field(TOTAL_COST)


@value
class CategoryPerformance:
    """The completed tests of the ACTIVE dreams of one category in a span of time, whether they were
    scored or not."""

    category: DreamCategory = field("The category.")
    dream_count: int = field("Number of dreams that have such tests.")
    average_impossibility: float | None = field(AVERAGE_SCORE)
    test_count: int = field(TEST_COUNT)
    scored_test_count: int = field(SCORED_TEST_COUNT)


@value
class Spend:
    """What one user's tests of one model used in a span of time."""

    user: User | None = related(
        UserById, "user_id", description="Who had them run; null for imported tests."
    )
    provider: str = field("Vendor of the model.")
    model: str = field("Name of the model.")
    test_count: int = field("Number of tests, whatever their state.")
    total_tokens: BigInt = field("Tokens used by the tests that told.")
    total_cost: Decimal = field("Cost of the tests that told, in US dollars.")
