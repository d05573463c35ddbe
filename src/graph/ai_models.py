"""AI models: what tests are run against, what they cost, and how they do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import strawberry
from strawberry import UNSET, Maybe

import db
from db import ReadSession
from db.core.query.batch import Key
from db.users import Role
from graph.core.context import Info
from graph.core.loader import Loader, One, Pages
from graph.core.permission import PUBLIC, scope
from graph.core.types.connection import Connection, connected, listed
from graph.core.types.errors import Conflict, Invalid, NotFound
from graph.core.types.field import checked, field, value
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    Input,
    create_idempotently,
    idempotency_key,
    input_type,
    locked_row,
    provided_fields,
    result,
)
from graph.core.types.node import IdOf, Node, key_of, load, node
from graph.core.types.scalars import BigInt
from graph.core.types.time_range import From, To, reveals_time, time_range

if TYPE_CHECKING:
    from graph.ai_tests import AiTest

WRITE = scope("models:write")
TESTS = scope("tests:read", role=Role.MEMBER)
TIMES = reveals_time(db.ai_tests.AiTest.created_at)

# Values

AVERAGE_SCORE = "Mean score of the scored tests, 0 to 100, lower is better; null without any."
AVERAGE_CONFIDENCE = "Mean confidence of the judges, 0 to 100; null if no test has one."
AVERAGE_DURATION = "Mean duration of the completed tests in milliseconds; null if none has one."
TEST_COUNT = "Number of completed tests, scored or not."
SCORED_TEST_COUNT = "Number of completed tests that have a score."
TOTAL_COST = "Cost of the completed tests in US dollars; null if none has one."


@value
class ModelStatistics:
    """The completed tests of one model in a span of time, whether they were scored or not."""

    average_impossibility: float | None = field(AVERAGE_SCORE)
    average_confidence: float | None = field(AVERAGE_CONFIDENCE)
    average_duration_ms: float | None = field(AVERAGE_DURATION)
    test_count: int = field(TEST_COUNT)
    scored_test_count: int = field(SCORED_TEST_COUNT)
    total_cost: Decimal | None = field(TOTAL_COST)


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
        scored_test_count=0,
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
        AiTestsByModel, "provider", "name", description="Its tests.", access=TESTS
    )

    @field("How it did in its completed tests; all time by default.", cost=10, reveals=TIMES)
    async def statistics(self, info: Info, from_: From = UNSET, to: To = UNSET) -> ModelStatistics:
        loader = StatisticsByModel.of(info, await time_range(info, from_, to))
        return await loader.load((self.provider, self.name))


# Inputs

MODEL = key_of(db.ai_models.AiModel)


@filters(db.ai_models.LISTING)
class AiModelFilter:
    """Conditions on AI models; all given must hold."""


@orders(db.ai_models.LISTING)
class AiModelOrder:
    """Order of AI models."""


@checked(db.ai_models.AiModel)
@input_type
class RegisterAiModelInput:
    """A model that can be called from now on. Prices are in US dollars per 1,000 tokens."""

    provider: str = field("Who serves the model.")
    name: str = field("Name of the model at its provider.")
    display_name: Maybe[str | None] = field("Name of the model for people; its name if left out.")
    max_tokens: BigInt | None = field("Longest answer in tokens, at most 10^12.", default=UNSET)
    cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price by which costs are derived; the mean of the other two if left out.",
        name="costPer1kTokens",
    )
    input_cost_per_1k_tokens: Decimal | None = field(
        "Price of 1,000 tokens of prompt.", default=UNSET, name="inputCostPer1kTokens"
    )
    output_cost_per_1k_tokens: Decimal | None = field(
        "Price of 1,000 tokens of answer.", default=UNSET, name="outputCostPer1kTokens"
    )
    capabilities: list[str] = field("What it can do, for example `VISION`.", default_factory=list)
    idempotency_key: str | None = idempotency_key()


@checked(db.ai_models.AiModel)
@input_type
class RepriceAiModelInput:
    """New prices of a model in US dollars per 1,000 tokens; what is left out stays as it is."""

    id: strawberry.ID = field("The model.", check=MODEL)
    cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price by which costs are derived; the mean of the other two if left out.",
        name="costPer1kTokens",
    )
    input_cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price of 1,000 tokens of prompt.", name="inputCostPer1kTokens"
    )
    output_cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price of 1,000 tokens of answer.", name="outputCostPer1kTokens"
    )


@input_type
class AiModelInput:
    """A registered model."""

    id: strawberry.ID = field("The model.", check=MODEL)


# Results

RegisterAiModelResult = result("RegisterAiModelResult", AiModel, NotFound, Invalid, Conflict)
RepriceAiModelResult = result("RepriceAiModelResult", AiModel, NotFound, Invalid)
ChangeAiModelResult = result("ChangeAiModelResult", AiModel, NotFound, Invalid)


# Operations


@strawberry.type
class Queries:
    ai_models: Connection[AiModel] = listed(
        db.ai_models.LISTING, "AI models, newest first.", PUBLIC
    )

    @field("The AI model with that id; null if there is none.", PUBLIC)
    async def ai_model(self, info: Info, id: IdOf) -> AiModel | None:
        return await load(info, id, db.ai_models.AiModel)


def activating(description: str, is_active: bool) -> Any:
    """A mutation that says whether a model can be called."""

    async def resolve(info: Info, input: Input[AiModelInput]) -> Any:
        async with locked_row(info, db.ai_models.AiModel, input.id) as (session, model):
            return await db.ai_models.activate(session, model, is_active)

    return field(description, WRITE, resolve, graphql_type=ChangeAiModelResult)


@strawberry.type
class Mutations:
    retire_ai_model = activating("Say that a model can no longer be called.", False)
    revive_ai_model = activating("Say that a model can be called again.", True)

    @field("Add a model that can be called.", WRITE, graphql_type=RegisterAiModelResult)
    async def register_ai_model(self, info: Info, input: Input[RegisterAiModelInput]) -> Any:
        model = provided_fields(input)
        return await create_idempotently(
            info, db.ai_models.AiModel, input, lambda s: db.ai_models.register(s, **model)
        )

    @field(
        "Change what a model costs; costs of tests so far stay as they are.",
        WRITE,
        graphql_type=RepriceAiModelResult,
    )
    async def reprice_ai_model(self, info: Info, input: Input[RepriceAiModelInput]) -> Any:
        async with locked_row(info, db.ai_models.AiModel, input.id) as (session, model):
            return await db.ai_models.reprice(session, model, **provided_fields(input))
