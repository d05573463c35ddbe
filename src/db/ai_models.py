"""AI models: what tests are run against, and what they cost."""

from decimal import Decimal

from sqlalchemy import Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

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
