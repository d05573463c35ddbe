"""Catalogue: a list of models and their prices that comes with this version, and what it changes.

A price that changed after the date of the list is kept: it is newer, or was set by hand.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from importlib.resources import files

from sqlalchemy import tuple_

from db.ai_models import PRICES, AiModel, register
from db.ai_models.prices import last_change, reprice
from db.core.session.database import ReadSession, WriteSession
from db.core.table import Row


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Prices as of the beginning of a day in UTC, and who published them."""

    date: datetime
    source: str
    models: Sequence[Row]


class State(StrEnum):
    """How the database differs from an entry of the catalogue."""

    NEW = "new"
    OTHER_PRICE = "other price"
    CHANGED_LATER = "changed later"
    SAME_PRICE = "same price"


@dataclass(frozen=True, slots=True)
class Comparison:
    """An entry of the catalogue beside the model in the database."""

    entry: Row
    model: AiModel | None
    state: State


def shipped() -> Catalogue:
    """The catalogue of this version."""
    text = files("db.ai_models").joinpath("catalogue.json").read_text(encoding="utf-8")
    content = json.loads(text)
    models = [{**each, **_decimals(each)} for each in content["models"]]
    date = datetime.fromisoformat(content["date"]).replace(tzinfo=UTC)
    return Catalogue(date, content["source"], models)


async def compare(session: ReadSession, catalogue: Catalogue) -> list[Comparison]:
    return await _compare(session, catalogue, lock=False)


async def update(session: WriteSession, catalogue: Catalogue) -> list[Comparison]:
    """Add models that are new, and change other prices from the date of the catalogue on. Return
    how the database differed before."""
    compared = await _compare(session, catalogue, lock=True)
    for each in compared:
        if each.model is None:
            await register(session, **each.entry)
        elif each.state == State.OTHER_PRICE:
            await reprice(session, each.model, catalogue.date, **_prices(each.entry))
    return compared


async def _compare(session: ReadSession, catalogue: Catalogue, *, lock: bool) -> list[Comparison]:
    known = await _models(session, catalogue, lock=lock)
    compared = []
    for entry in catalogue.models:
        model = known.get((entry["provider"], entry["name"]))
        compared.append(Comparison(entry, model, await _state(session, catalogue, entry, model)))
    return compared


async def _models(
    session: ReadSession, catalogue: Catalogue, *, lock: bool
) -> dict[tuple[str, str], AiModel]:
    names = [(entry["provider"], entry["name"]) for entry in catalogue.models]
    listed = AiModel.select().where(tuple_(AiModel.provider, AiModel.name).in_(names))
    ordered = listed.order_by(AiModel.id)
    found = await session.records(AiModel, ordered.with_for_update() if lock else ordered)
    return {(model.provider, model.name): model for model in found}


async def _state(
    session: ReadSession, catalogue: Catalogue, entry: Row, model: AiModel | None
) -> State:
    if model is None:
        return State.NEW
    if all(getattr(model, name) == price for name, price in _prices(entry).items()):
        return State.SAME_PRICE
    changed_at = await last_change(session, model) or model.created_at
    return State.CHANGED_LATER if changed_at >= catalogue.date else State.OTHER_PRICE


def _prices(entry: Row) -> dict[str, Decimal]:
    return {name: entry[name] for name in PRICES[1:]}


def _decimals(entry: Row) -> dict[str, Decimal]:
    return {name: Decimal(entry[name]) for name in PRICES[1:]}
