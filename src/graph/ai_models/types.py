"""Types: AI models, their prices and statistics."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import strawberry
from strawberry import UNSET

import db
from db import ReadSession
from db.core.query.batch import Key
from db.core.query.time_range import TimeRange
from db.core.session.database import ResultRow
from db.users import Role
from graph.core.context import Info, as_source
from graph.core.loader import Loader, One, Pages
from graph.core.permission import PUBLIC, scope
from graph.core.types.connection import connected
from graph.core.types.field import field, value
from graph.core.types.groups import First, Skip
from graph.core.types.node import Node, node
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import From, To, reveals_time, time_range

if TYPE_CHECKING:
    from graph.ai_tests import AiTestConnection

WRITE = scope("models:write")
MAX_PRICES = 100  # by default
TESTS = scope("tests:read", role=Role.MEMBER)
TIMES = reveals_time(db.ai_tests.AiTest.created_at)

# Values

MEAN_PRICE = "Price from which costs are derived. Null if unknown."
INPUT_PRICE = "Price of 1,000 input tokens. Null if unknown."
OUTPUT_PRICE = "Price of 1,000 output tokens. Null if unknown."

AVERAGE_SCORE = (
    "Mean score of the scored tests, 0 to 100, lower is better. Null without scored tests."
)
AVERAGE_CONFIDENCE = "Mean confidence of the judges, 0 to 100. Null if no test has one."
AVERAGE_DURATION = "Mean duration of the completed tests in milliseconds. Null if no test has one."
TEST_COUNT = "Number of completed tests, with or without a score."
SCORED_TEST_COUNT = "Number of completed tests with a score."
TOTAL_COST = "Total cost in US dollars of the completed tests. Null if no test has one."


@value
class ModelStatistics:
    """Statistics of the completed tests of one model within a time range."""

    average_score: float | None = field(AVERAGE_SCORE)
    average_confidence: float | None = field(AVERAGE_CONFIDENCE)
    average_duration_ms: float | None = field(AVERAGE_DURATION)
    test_count: int = field(TEST_COUNT)
    scored_test_count: int = field(SCORED_TEST_COUNT)
    total_cost: Decimal | None = field(TOTAL_COST)


@value
class AiModelPrice:
    """Prices of a model within a period, in US dollars per 1,000 tokens."""

    cost_per_1k_tokens: Decimal | None = field(MEAN_PRICE, name="costPer1kTokens")
    input_cost_per_1k_tokens: Decimal | None = field(INPUT_PRICE, name="inputCostPer1kTokens")
    output_cost_per_1k_tokens: Decimal | None = field(OUTPUT_PRICE, name="outputCostPer1kTokens")
    valid_from: datetime | None = field(
        "Start of the period, inclusive. Null for the first known prices, which count for all "
        "earlier times."
    )
    valid_until: datetime | None = field("End of the period, exclusive. Null for current prices.")


# Loaders


class AiModelByName(One[db.ai_models.AiModel]):
    table = db.ai_models.AiModel
    columns = (db.ai_models.AiModel.provider, db.ai_models.AiModel.name)


class AiTestsByModel(Pages):
    listing = db.ai_tests.LISTING
    columns = (db.ai_tests.AiTest.provider, db.ai_tests.AiTest.model)


class PricesByModel(Loader[Sequence[ResultRow], int, int]):
    missing = ()

    async def found(
        self, session: ReadSession, keys: Sequence[Key]
    ) -> Mapping[Key, Sequence[ResultRow]]:
        return await db.ai_models.prices.histories(session, keys, *self.arguments)


class StatisticsByModel(Loader[ResultRow | ModelStatistics, TimeRange]):
    missing = ModelStatistics(
        average_score=None,
        average_confidence=None,
        average_duration_ms=None,
        test_count=0,
        scored_test_count=0,
        total_cost=None,
    )

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, ResultRow]:
        return await db.ai_tests.sums.statistics(session, keys, *self.arguments, self.db.visibility)


# Types


@node(db.ai_models.AiModel, access=PUBLIC, cacheable=True)
class AiModel(Node):
    """An AI model of a provider. Prices are in US dollars per 1,000 tokens."""

    provider: str = field(
        "Provider of the model, in lower case. New providers may appear at any time."
    )
    name: str = field("Name of the model, unique for its provider.")
    display_name: str = field("Display name of the model.")
    max_tokens: BigInt | None = field("Maximum length of a response in tokens. Null if unknown.")
    cost_per_1k_tokens: Decimal | None = field(
        "Mean of input and output price. Null if either is unknown.", name="costPer1kTokens"
    )
    input_cost_per_1k_tokens: Decimal | None = field(INPUT_PRICE, name="inputCostPer1kTokens")
    output_cost_per_1k_tokens: Decimal | None = field(OUTPUT_PRICE, name="outputCostPer1kTokens")
    is_active: bool | None = field("Whether the model can still be called. Null if unknown.")
    capabilities: list[str] = field("Capabilities of the model, for example `VISION`.")
    version: int = field(
        "Increases by one with each edit. Send it as `expectedVersion` to detect concurrent edits."
    )
    created_at: datetime = field("When the model was created.")
    updated_at: datetime = field("When the model was last updated.")
    tests: Annotated["AiTestConnection", strawberry.lazy("graph.ai_tests")] = connected(
        AiTestsByModel, "provider", "name", description="Tests of this model.", access=TESTS
    )

    @field("Prices of the model over time, newest first.", cost=10, reads=("id",))
    async def prices(
        self, info: Info, first: First = MAX_PRICES, skip: Skip = 0
    ) -> list[AiModelPrice]:
        return as_source(await PricesByModel.of(info, first, skip).load(self.id))

    @field(
        "Statistics of the model's completed tests. All time by default.",
        cost=10,
        reveals=TIMES,
        reads=("provider", "name"),
    )
    async def statistics(self, info: Info, from_: From = UNSET, to: To = UNSET) -> ModelStatistics:
        loader = StatisticsByModel.of(info, await time_range(info, from_, to))
        return as_source(await loader.load((self.provider, self.name)))
