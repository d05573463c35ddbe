"""AI models: the models that are tested, and their prices."""

from decimal import Decimal

from sqlalchemy import Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.core.numeric import mean
from db.core.query.listing import ListSpec, columns_by_name
from db.core.session.database import WriteSession
from db.core.table import Count, CreatedAt, Id, Money, Row, Table, Texts, UpdatedAt, checked
from db.core.values import validation

MAX_TOKENS = 10**12
PRICE = validation.within(0, 9_999)


class AiModel(Table):
    """One model of one provider. Prices are in US dollars per 1,000 tokens."""

    __tablename__ = "ai_models"
    __table_args__ = (
        UniqueConstraint("provider", "name"),
        Index("ix_ai_models_active", "provider", "name", postgresql_where=text("is_active")),
        Index(None, "capabilities", postgresql_using="gin"),
    )

    id: Mapped[Id]
    provider: Mapped[str] = checked(validation.PROVIDER)
    name: Mapped[str] = checked(validation.string())
    display_name: Mapped[str] = checked(validation.string())
    max_tokens: Mapped[Count | None] = checked(validation.within(0, MAX_TOKENS))
    cost_per_1k_tokens: Mapped[Money | None] = checked(PRICE)
    input_cost_per_1k_tokens: Mapped[Decimal | None] = checked(PRICE, type_=Numeric)
    output_cost_per_1k_tokens: Mapped[Decimal | None] = checked(PRICE, type_=Numeric)
    is_active: Mapped[bool | None]
    version: Mapped[int] = mapped_column(server_default=text("1"))
    capabilities: Mapped[Texts] = checked(validation.each(50, validation.string()))
    created_at: Mapped[CreatedAt]
    updated_at: Mapped[UpdatedAt]


LISTING = ListSpec(
    AiModel,
    grows=False,
    filters=columns_by_name(
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
    most=200,
)

PRICES = ("cost_per_1k_tokens", "input_cost_per_1k_tokens", "output_cost_per_1k_tokens")


async def register(session: WriteSession, **values: object) -> AiModel:
    """Create an active model. Raises Invalid, and Conflict if it is registered already."""
    values.setdefault("display_name", values["name"])
    return await audit.create(session, AiModel, is_active=True, **with_mean_price(values))


async def edit(session: WriteSession, model: AiModel, **changes: object) -> AiModel:
    """Raises Invalid."""
    return await audit.change(session, AiModel, model, **changes)


async def activate(session: WriteSession, model: AiModel, is_active: bool) -> AiModel:
    return await audit.change(session, AiModel, model, is_active=is_active)


def with_mean_price(values: Row) -> Row:
    """With the mean of input and output price as the price from which costs are derived, if both
    are known and it is not given."""
    input, output = (values.get(name) for name in PRICES[1:])
    if PRICES[0] in values or input is None or output is None:
        return values
    return {**values, PRICES[0]: mean((input, output))}
