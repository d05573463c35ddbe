"""Prices: what models cost earlier, and what they cost at a given time.

A trigger keeps the prices that an update replaces, so those replaced by imports and by other
versions are kept, too. The current prices are those of the model.
"""

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    Numeric,
    ScalarSelect,
    func,
    null,
    select,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.orm import Mapped, mapped_column

from db import audit
from db.ai_models import PRICES, AiModel, with_mean_price
from db.core.errors import Invalid
from db.core.query.batch import Key
from db.core.session.clock import check_time
from db.core.session.database import ReadSession, ResultRow, WriteSession
from db.core.table import Money, Table
from db.core.values.rfc3339 import print_time

Model = tuple[str, str]  # provider and name


class PastPrice(Table):
    """The prices of a model until they changed, in US dollars per 1,000 tokens."""

    __tablename__ = "past_prices"

    ai_model_id: Mapped[UUID] = mapped_column(
        ForeignKey("ai_models.id", ondelete="CASCADE"), primary_key=True
    )
    valid_until: Mapped[datetime] = mapped_column(primary_key=True)
    cost_per_1k_tokens: Mapped[Money | None]
    input_cost_per_1k_tokens: Mapped[Decimal | None] = mapped_column(Numeric)
    output_cost_per_1k_tokens: Mapped[Decimal | None] = mapped_column(Numeric)


class Prices:
    """The prices of some models per 1,000 tokens, by time."""

    def __init__(self, periods: Sequence[ResultRow]) -> None:
        """`periods`: provider, name, price, and its end, oldest first and the current one last."""
        self._ends: dict[Model, list[datetime]] = {}
        self._prices: dict[Model, list[Decimal | None]] = {}
        for provider, name, price, until in periods:
            self._prices.setdefault((provider, name), []).append(price)
            if until is not None:
                self._ends.setdefault((provider, name), []).append(until)

    def at(self, model: Model, time: datetime) -> Decimal | None:
        """None if the price or the model is unknown."""
        if model not in self._prices:
            return None
        return self._prices[model][bisect_right(self._ends.get(model, ()), time)]


async def prices(session: ReadSession, models: Collection[Model], since: datetime) -> Prices:
    """The prices of models at any time from `since` on."""
    if not models:
        return Prices([])
    named = tuple_(AiModel.provider, AiModel.name).in_(sorted(models))
    model = AiModel.provider, AiModel.name
    current = select(*model, AiModel.cost_per_1k_tokens, null().label("valid_until")).where(named)
    past = (
        select(*model, PastPrice.cost_per_1k_tokens, PastPrice.valid_until)
        .join(AiModel, AiModel.id == PastPrice.ai_model_id)
        .where(named, PastPrice.valid_until > since)
    )
    period = union_all(past, current).subquery()
    return Prices(await session.rows(select(*period.c).order_by(period.c.valid_until)))


async def price(session: ReadSession, model: Model, at: datetime) -> Decimal | None:
    """US dollars per 1,000 tokens at that time; None if unknown."""
    return (await prices(session, [model], at)).at(model, at)


async def histories(
    session: ReadSession, model_ids: Sequence[Key], first: int, skip: int
) -> Mapping[Key, list[ResultRow]]:
    """The prices of each model with the time that they were valid, newest first."""
    current = select(
        AiModel.id.label("model"), null().label("until"), *(getattr(AiModel, c) for c in PRICES)
    ).where(AiModel.id.in_(model_ids))
    past = select(
        PastPrice.ai_model_id, PastPrice.valid_until, *(getattr(PastPrice, c) for c in PRICES)
    ).where(PastPrice.ai_model_id.in_(model_ids))
    period = union_all(current, past).subquery()
    newest = period.c.until.desc()  # null first, which is the current one
    numbered = select(
        period.c.model,
        *(period.c[c] for c in PRICES),
        func.lag(period.c.until)
        .over(partition_by=period.c.model, order_by=period.c.until)
        .label("valid_from"),
        period.c.until.label("valid_until"),
        func.row_number().over(partition_by=period.c.model, order_by=newest).label("number"),
    ).subquery()
    page = (
        select(*numbered.c)
        .where(numbered.c.number > skip, numbered.c.number <= skip + first)
        .order_by(numbered.c.number)
    )
    found: dict[Key, list[ResultRow]] = {}
    for row in await session.rows(page):
        found.setdefault(row.model, []).append(row)
    return found


async def reprice(
    session: WriteSession,
    model: AiModel,
    valid_from: datetime | None = None,
    **prices: Decimal | None,
) -> AiModel:
    """Change the prices of a locked model, from now or from an earlier time on. Raises Invalid."""
    if valid_from is not None:
        _check_start(session, valid_from, await last_change(session, model))
    known = {name: getattr(model, name) for name in PRICES[1:]}
    after = await audit.change(session, AiModel, model, **with_mean_price(known | prices))
    if valid_from is not None and after is not model:
        await _date_back(session, model, valid_from)
    return after


async def last_change(session: ReadSession, model: AiModel) -> datetime | None:
    found: datetime | None = await session.scalar(select(_last_change(model)))
    return found


def _check_start(session: WriteSession, at: datetime, last_change: datetime | None) -> None:
    """Raises Invalid if new prices cannot be valid from then on."""
    check_time(at, session.now(), "valid_from")
    if at > session.now():
        raise Invalid("Prices cannot begin in the future.", "valid_from")
    if last_change is not None and at <= last_change:
        message = f"The prices last changed at {print_time(last_change)}; give a later time."
        raise Invalid(message, "valid_from")


async def _date_back(session: WriteSession, model: AiModel, at: datetime) -> None:
    """Let the newest change of the prices be at an earlier time."""
    newest = PastPrice.valid_until == _last_change(model)
    changed = update(PastPrice).where(PastPrice.ai_model_id == model.id, newest)
    await session.execute(changed.values(valid_until=at))


def _last_change(model: AiModel) -> ScalarSelect[datetime]:
    of_model = PastPrice.ai_model_id == model.id
    return select(func.max(PastPrice.valid_until)).where(of_model).scalar_subquery()
