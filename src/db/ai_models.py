"""AI models: what tests are run against, and what they cost."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, Numeric, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.core import check
from db.core.database import ReadSession, WriteSession
from db.core.errors import Invalid
from db.core.listing import Listing, by_name
from db.core.table import Count, CreatedAt, Id, Money, Table, Texts, UpdatedAt


class AiModel(Table):
    """One model of one provider. Prices are in US dollars per 1,000 tokens."""

    __tablename__ = "ai_models"
    __table_args__ = (
        UniqueConstraint("provider", "name"),
        Index("ix_ai_models_active", "provider", "name", postgresql_where=text("is_active")),
        Index(None, "capabilities", postgresql_using="gin"),
    )

    id: Mapped[Id]
    provider: Mapped[str]
    name: Mapped[str]
    display_name: Mapped[str]
    max_tokens: Mapped[Count | None]
    cost_per_1k_tokens: Mapped[Money | None]
    input_cost_per_1k_tokens: Mapped[Decimal | None] = mapped_column(Numeric)
    output_cost_per_1k_tokens: Mapped[Decimal | None] = mapped_column(Numeric)
    is_active: Mapped[bool | None]
    capabilities: Mapped[Texts]
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


LISTING = Listing(
    AiModel,
    filters=by_name(
        AiModel.provider,
        AiModel.name,
        AiModel.display_name,
        AiModel.max_tokens,
        AiModel.cost_per_1k_tokens,
        AiModel.is_active,
        AiModel.capabilities,
    ),
    orders={
        "CREATED_AT": AiModel.id,
        "PROVIDER": AiModel.provider,
        "NAME": AiModel.name,
        "MAX_TOKENS": AiModel.max_tokens,
        "COST_PER_1K_TOKENS": AiModel.cost_per_1k_tokens,
    },
)

PROVIDER = re.compile(r"[a-z0-9][a-z0-9_.-]{0,99}")
MAX_NAME = 200
MAX_CAPABILITIES = 50
PRICES = ("cost_per_1k_tokens", "input_cost_per_1k_tokens", "output_cost_per_1k_tokens")
PRICE_FIELDS = ("costPer1kTokens", "inputCostPer1kTokens", "outputCostPer1kTokens")
MAX_PRICE = 9_999
MAX_TOKENS = 10**12


async def price(session: ReadSession, provider: str, name: str) -> Decimal | None:
    """What 1,000 tokens of a model cost in US dollars; None when nobody knows."""
    named = AiModel.provider == provider, AiModel.name == name
    found: Decimal | None = await session.scalar(select(AiModel.cost_per_1k_tokens).where(*named))
    return found


async def register(session: WriteSession, **values: Any) -> Any:
    """Stores an active model. Raises Invalid, and Conflict if it is registered already."""
    check_names(values["provider"], values["name"], "name")
    values.setdefault("display_name", values["name"])
    check.length(values["display_name"], "displayName", MAX_NAME)
    check.within(values.get("max_tokens"), "maxTokens", 0, MAX_TOKENS)
    _check_capabilities(values["capabilities"])
    return await audit.create(session, AiModel, is_active=True, **_priced(values))


async def reprice(session: WriteSession, model: Any, **prices: Any) -> Any:
    """Changes the prices of a model. Raises Invalid."""
    known = {name: getattr(model, name) for name in PRICES[1:]}
    return await audit.change(session, AiModel, model, **_priced(known | prices))


async def activate(session: WriteSession, model: Any, is_active: bool) -> Any:
    """Says whether a model can be called."""
    return await audit.change(session, AiModel, model, is_active=is_active)


def check_names(provider: str | None, name: str | None, field: str) -> None:
    """Raises Invalid for what cannot be a provider or the name of a model."""
    if provider is not None and not PROVIDER.fullmatch(provider):
        raise Invalid("A provider is written in small letters, like `openai`.", "provider")
    check.length(name, field, MAX_NAME)


def _check_capabilities(names: Sequence[str]) -> None:
    if len(names) > MAX_CAPABILITIES:
        raise Invalid(f"At most {MAX_CAPABILITIES} of these.", "capabilities")
    for name in names:
        check.length(name, "capabilities", MAX_NAME)


def _priced(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the mean price, where both prices are known and it is not given."""
    for name, field in zip(PRICES, PRICE_FIELDS, strict=True):
        check.within(values.get(name), field, 0, MAX_PRICE)
    input, output = (values.get(name) for name in PRICES[1:])
    if PRICES[0] in values or input is None or output is None:
        return values
    return values | {PRICES[0]: (input + output) / 2}
