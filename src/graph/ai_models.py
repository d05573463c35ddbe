"""AI models: what tests are run against, what they cost, and how they do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET

import db
from db import ReadSession
from db.core.batch import Key
from graph.core.connection import Connection, connected, listed
from graph.core.context import Info
from graph.core.field import field, value
from graph.core.filter import filters, orders
from graph.core.loader import Loader, One, Pages
from graph.core.node import IdOf, Node, load, node
from graph.core.permission import MEMBER, PUBLIC
from graph.core.scalars import BigInt
from graph.core.span import From, To, span

if TYPE_CHECKING:
    from graph.ai_tests import AiTest

# Values


@value
class ModelStatistics:
    """The completed and scored tests of one model in a span of time."""

    average_impossibility: float | None = field("Mean score, 0 to 100; null without tests.")
    average_confidence: float | None = field("Mean confidence of the judges, 0 to 100.")
    average_duration_ms: float | None = field("Mean duration in milliseconds.")
    test_count: int = field("Number of completed and scored tests.")
    total_cost: Decimal | None = field("Cost of those tests in US dollars; null if none told.")


# Loaders


class AiModelByName(One):
    table = db.ai_models.AiModel
    columns = (db.ai_models.AiModel.provider, db.ai_models.AiModel.name)


class AiTestsByModel(Pages):
    listing = db.ai_tests.LISTING
    columns = (db.ai_tests.AiTest.provider, db.ai_tests.AiTest.model)


class StatisticsByModel(Loader):
    missing = ModelStatistics(
        average_impossibility=None,
        average_confidence=None,
        average_duration_ms=None,
        test_count=0,
        total_cost=None,
    )

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await db.ai_tests.statistics(session, keys, *self.arguments)


# Types


@node(db.ai_models.AiModel, access=PUBLIC)
class AiModel(Node):
    """One AI model of one provider. Prices are in US dollars per 1,000 tokens."""

    provider: str = field("Who serves the model, in lower case; new ones may appear any time.")
    name: str = field("Name of the model at its provider; unique there.")
    display_name: str = field("Name of the model for people.")
    max_tokens: BigInt | None = field("Longest answer in tokens; null when unknown.")
    cost_per_1k_tokens: Decimal | None = field(
        "Mean of input and output price; null when either is unknown.", name="costPer1kTokens"
    )
    input_cost_per_1k_tokens: Decimal | None = field(
        "Price of 1,000 tokens of prompt; null when unknown.", name="inputCostPer1kTokens"
    )
    output_cost_per_1k_tokens: Decimal | None = field(
        "Price of 1,000 tokens of answer; null when unknown.", name="outputCostPer1kTokens"
    )
    is_active: bool | None = field("Whether it can still be called; null when nobody said.")
    capabilities: list[str] = field("What it can do, for example `VISION`.")
    created_at: datetime = field("When it was registered.")
    updated_at: datetime = field("When it was last changed.")
    tests: Connection[Annotated["AiTest", strawberry.lazy("graph.ai_tests")]] = connected(
        AiTestsByModel, "provider", "name", description="Its tests.", access=MEMBER
    )

    @field("How it did in its completed and scored tests; all time by default.", cost=10)
    async def statistics(self, info: Info, from_: From = UNSET, to: To = UNSET) -> ModelStatistics:
        loader = StatisticsByModel.of(info, span(from_, to))
        return await loader.load((self.provider, self.name))


# Inputs


@filters(db.ai_models.LISTING)
class AiModelFilter:
    """Conditions on AI models; all given must hold."""


@orders(db.ai_models.LISTING)
class AiModelOrder:
    """Order of AI models."""


# Operations


@strawberry.type
class Queries:
    ai_models: Connection[AiModel] = listed(
        db.ai_models.LISTING, "AI models, newest first.", PUBLIC
    )

    @field("The AI model with that id; null if there is none.", PUBLIC)
    async def ai_model(self, info: Info, id: IdOf) -> AiModel | None:
        return await load(info, id, db.ai_models.AiModel)
