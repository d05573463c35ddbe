"""Inputs: filters, orders and the input fields of mutations on AI models."""

from datetime import datetime
from decimal import Decimal

import strawberry
from strawberry import UNSET, Maybe

import db
from graph.core.types.field import checked, field
from graph.core.types.filter import filters, orders
from graph.core.types.mutation import (
    idempotency_key,
    input_type,
)
from graph.core.types.node import key_of
from graph.core.types.scalars import BigInt

MODEL = key_of(db.ai_models.AiModel)


@filters(db.ai_models.LISTING)
class AiModelFilter:
    """Filter conditions on AI models. All given conditions must hold."""


@orders(db.ai_models.LISTING)
class AiModelOrder:
    """Sort order for AI models."""


@checked(db.ai_models.AiModel)
@input_type
class CreateAiModelInput:
    """The input fields to create an AI model. Prices are in US dollars per 1,000 tokens."""

    provider: str = field("Provider of the model.")
    name: str = field("Name of the model at its provider.")
    display_name: Maybe[str | None] = field("Display name of the model; its name if omitted.")
    max_tokens: BigInt | None = field(
        "Maximum length of a response in tokens, at most 10^12.", default=UNSET
    )
    cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price from which costs are derived. The mean of input and output price if omitted.",
        name="costPer1kTokens",
    )
    input_cost_per_1k_tokens: Decimal | None = field(
        "Price of 1,000 input tokens.", default=UNSET, name="inputCostPer1kTokens"
    )
    output_cost_per_1k_tokens: Decimal | None = field(
        "Price of 1,000 output tokens.", default=UNSET, name="outputCostPer1kTokens"
    )
    capabilities: list[str] = field(
        "Capabilities of the model, for example `VISION`.", default_factory=list
    )
    idempotency_key: str | None = idempotency_key()


@checked(db.ai_models.AiModel)
@input_type
class EditAiModelInput:
    """The input fields to edit an AI model. Omitted fields stay unchanged. Provider and name cannot
    be changed, because tests refer to a model by them."""

    id: strawberry.ID = field("ID of the model.", check=MODEL)
    expected_version: int | None = field("Version that the model must have.", default=UNSET)
    display_name: Maybe[str] = field("Display name of the model.")
    max_tokens: Maybe[BigInt | None] = field(
        "Maximum length of a response in tokens, at most 10^12."
    )
    capabilities: Maybe[list[str]] = field("Capabilities of the model, for example `VISION`.")


@checked(db.ai_models.AiModel)
@input_type
class RepriceAiModelInput:
    """The input fields to change the prices of an AI model, in US dollars per 1,000 tokens. Omitted
    prices stay unchanged."""

    id: strawberry.ID = field("ID of the model.", check=MODEL)
    expected_version: int | None = field("Version that the model must have.", default=UNSET)
    cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price from which costs are derived. The mean of input and output price if omitted.",
        name="costPer1kTokens",
    )
    input_cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price of 1,000 input tokens.", name="inputCostPer1kTokens"
    )
    output_cost_per_1k_tokens: Maybe[Decimal | None] = field(
        "Price of 1,000 output tokens.", name="outputCostPer1kTokens"
    )
    valid_from: datetime | None = field(
        "When the prices began; now if omitted. Must be later than their last change, and not in "
        "the future.",
        default=UNSET,
    )


@input_type
class AiModelInput:
    """The input fields to identify an AI model."""

    id: strawberry.ID = field("ID of the model.", check=MODEL)
