"""`dreamnet catalogue` shows and stores the models and prices that come with this version."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from db import Database
from db.ai_models import catalogue
from support.commands import Dreamnet
from support.databases import execute, rows_of
from support.factories import make_ai_model

SHIPPED = catalogue.shipped()
ENTRY = SHIPPED.models[0]
PAST = text("select valid_until, input_cost_per_1k_tokens from past_prices")
PRICES = text(
    "select input_cost_per_1k_tokens, cost_per_1k_tokens from ai_models"
    " order by provider, name limit 1"
)
EARLIER, LATER = SHIPPED.date - timedelta(days=9), SHIPPED.date + timedelta(seconds=1)


def test_the_catalogue_is_dated_and_has_each_model_once() -> None:
    names = [(entry["provider"], entry["name"]) for entry in SHIPPED.models]
    assert len(names) == len(set(names)) > 100
    assert names == sorted(names)
    assert datetime(2026, 11, 1, tzinfo=UTC) < SHIPPED.date
    assert all(
        0 <= entry[f"{kind}_cost_per_1k_tokens"] < 1
        for entry in SHIPPED.models
        for kind in ("input", "output")
    )


def test_models_are_stored_once(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    count = len(SHIPPED.models)
    assert dreamnet("catalogue", "show", DATABASE_URL=database_url) == 0
    before = capsys.readouterr().out
    assert dreamnet("catalogue", "update") == 0
    first = capsys.readouterr().out
    assert dreamnet("catalogue", "update") == 0
    second = capsys.readouterr().out
    assert dreamnet("catalogue", "show") == 0
    after = capsys.readouterr().out

    title = f"{count} models, {SHIPPED.source}, as of {SHIPPED.date:%Y-%m-%d}."
    assert before.splitlines()[0] == first.splitlines()[0] == title
    assert before.count(" new ") == after.count("same price") == count
    assert first.splitlines()[1:] == [
        f"{count} models added, 0 repriced, 0 kept because their prices changed later, 0 unchanged."
    ]
    assert second.splitlines()[1:] == [
        f"0 models added, 0 repriced, 0 kept because their prices changed later, {count} unchanged."
    ]
    mean = (ENTRY["input_cost_per_1k_tokens"] + ENTRY["output_cost_per_1k_tokens"]) / 2
    assert asyncio.run(rows_of(database_url, PRICES)) == [(ENTRY["input_cost_per_1k_tokens"], mean)]
    audited = text("select distinct operation from audit_log")
    assert asyncio.run(rows_of(database_url, audited)) == [("dreamnet catalogue",)]


async def _model(url: str, created_at: datetime) -> None:
    database = Database(url)
    of = {"provider": ENTRY["provider"], "name": ENTRY["name"]}
    await make_ai_model(database, **of, created_at=created_at)
    await database.close()


def test_other_prices_change_from_the_date_of_the_catalogue_on(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    asyncio.run(_model(database_url, EARLIER))
    assert dreamnet("catalogue", "update", DATABASE_URL=database_url) == 0

    prices = f"{ENTRY['input_cost_per_1k_tokens']} and {ENTRY['output_cost_per_1k_tokens']}"
    change = f"{ENTRY['provider']} {ENTRY['name']}: 0.01 and 0.03 → {prices}"
    assert capsys.readouterr().out.splitlines()[1] == change
    assert asyncio.run(rows_of(database_url, PAST)) == [(SHIPPED.date, Decimal("0.01"))]


@pytest.mark.parametrize("changed", ["created", "repriced"])
def test_prices_that_changed_later_are_kept(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str, changed: str
) -> None:
    asyncio.run(_model(database_url, LATER if changed == "created" else EARLIER))
    if changed == "repriced":
        own = "update ai_models set input_cost_per_1k_tokens = 7"
        asyncio.run(execute(database_url, own))

    assert dreamnet("catalogue", "show", DATABASE_URL=database_url) == 0
    assert "changed later: " in capsys.readouterr().out
    assert dreamnet("catalogue", "update") == 0
    assert "1 kept because their prices changed later" in capsys.readouterr().out
    kept = Decimal(7) if changed == "repriced" else Decimal("0.01")
    assert asyncio.run(rows_of(database_url, PRICES)) == [(kept, Decimal("0.02"))]
