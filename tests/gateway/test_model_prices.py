"""Prices of models over time: what is shown of them, and the costs that are derived from them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from db import Database
from graph.core.types.node import global_id
from support.databases import execute
from support.factories import make_ai_model, make_ai_test, make_dream, make_user
from support.gateways import Send, gateway, make_key, production, signed_in
from support.payloads import ERRORS, outcome_of

PRICES = """query ($id: ID!, $first: Int! = 100, $skip: Int! = 0) {
  aiModel(id: $id) { prices(first: $first, skip: $skip) {
    costPer1kTokens inputCostPer1kTokens outputCostPer1kTokens validFrom validUntil } } }"""
REPRICE = f"""mutation ($input: RepriceAiModelInput!) {{ answer: repriceAiModel(input: $input) {{
  aiModel {{ costPer1kTokens }} {ERRORS} }} }}"""
RECORD = f"""mutation ($input: RecordAiTestInput!) {{ answer: recordAiTest(input: $input) {{
  aiTest {{ cost isCostDerived }} {ERRORS} }} }}"""
RECORD_ALL = f"""mutation ($input: RecordAiTestsInput!) {{ answer: recordAiTests(input: $input) {{
  aiTests {{ cost }} {ERRORS} }} }}"""
COMPLETE = f"""mutation ($input: CompleteAiTestInput!) {{ answer: completeAiTest(input: $input) {{
  aiTest {{ cost isCostDerived }} {ERRORS} }} }}"""
JUNE, AUGUST = "2026-06-01T00:00:00.000000Z", "2026-08-01T00:00:00.000000Z"


@pytest.fixture
async def send(database: Database) -> AsyncIterator[Send]:
    """Sends operations with a key of an administrator to a gateway in production."""
    user = await make_user(database, role="ADMIN")
    key = await make_key(database, production(), user_id=user.id)
    async with signed_in(gateway(production(), database), key.text) as send:
        yield send


@pytest.fixture
async def id(send: Send, database: Database) -> str:
    """A model that cost 0.02 until June, 0.03 until August, and 0.04 since."""
    id = global_id(await make_ai_model(database, name="gpt-5"))
    await reprice(send, id, costPer1kTokens="0.03", validFrom=JUNE)
    await reprice(send, id, costPer1kTokens="0.04", validFrom=AUGUST)
    return id


async def reprice(send: Send, id: str, **input: Any) -> dict[str, Any]:
    answer = await send(REPRICE, input={"id": id, **input})
    return outcome_of(answer["answer"])


async def periods(send: Send, id: str, **page: int) -> list[tuple[str, str | None, str | None]]:
    answer = await send(PRICES, id=id, **page)
    prices = answer["aiModel"]["prices"]
    return [(p["costPer1kTokens"], p["validFrom"], p["validUntil"]) for p in prices]


async def test_prices_are_kept_with_their_periods(send: Send, id: str) -> None:
    shown = await periods(send, id)
    page = await periods(send, id, first=1, skip=1)

    assert shown == [
        ("0.040000", AUGUST, None),
        ("0.030000", JUNE, AUGUST),
        ("0.020000", None, JUNE),
    ]
    assert page == shown[1:2]


@pytest.mark.parametrize(
    ("at", "cost"),
    [
        ("2026-05-31T23:59:59.999999Z", "0.020000"),
        (JUNE, "0.030000"),
        ("2026-07-01T00:00:00Z", "0.030000"),
        (AUGUST, "0.040000"),
        (None, "0.040000"),
    ],
)
async def test_a_cost_is_derived_from_the_price_at_the_time_of_the_test(
    send: Send, database: Database, id: str, at: str | None, cost: str
) -> None:
    dream = global_id(await make_dream(database))
    test = {"dreamId": dream, "provider": "openai", "model": "gpt-5", "tokensUsed": 1000}
    timed = test if at is None else {**test, "at": at}

    one = outcome_of((await send(RECORD, input=timed))["answer"])
    batch = (await send(RECORD_ALL, input={"tests": [timed, test]}))["answer"]["aiTests"]

    assert one == {"cost": cost, "isCostDerived": True}
    assert batch == [{"cost": cost}, {"cost": "0.040000"}]


async def test_the_price_when_a_test_began_counts(send: Send, database: Database, id: str) -> None:
    began = await database.now() - timedelta(days=1)
    running = {"status": "RUNNING", "impossibility_score": None, "cost": None}
    test = await make_ai_test(
        database, provider="openai", model="gpt-5", created_at=began, **running
    )
    await reprice(send, id, costPer1kTokens="5")
    ended = await send(COMPLETE, input={"id": global_id(test), "tokensUsed": 1000})

    assert outcome_of(ended["answer"]) == {"cost": "0.040000", "isCostDerived": True}


@pytest.mark.parametrize(
    ("valid_from", "message"),
    [
        (
            JUNE,
            "The prices last changed at 2026-08-01T00:00:00.000000Z; give a later time.",
        ),
        (
            AUGUST,
            "The prices last changed at 2026-08-01T00:00:00.000000Z; give a later time.",
        ),
        (
            "1999-01-01T00:00:00Z",
            "The time must be between ten years ago and five minutes from now.",
        ),
        ("tomorrow", "Prices cannot begin in the future."),
    ],
)
async def test_prices_begin_after_the_last_change_and_not_in_the_future(
    send: Send, database: Database, id: str, valid_from: str, message: str
) -> None:
    if valid_from == "tomorrow":
        valid_from = (await database.now() + timedelta(minutes=4)).isoformat()
    before = await periods(send, id)

    refused = await reprice(send, id, costPer1kTokens="1", validFrom=valid_from)

    assert refused == {"code": "INVALID", "message": message, "field": "validFrom"}
    assert await periods(send, id) == before


async def test_equal_prices_begin_no_period(send: Send, id: str) -> None:
    before = await periods(send, id)
    same = await reprice(send, id, costPer1kTokens="0.04", validFrom="2026-09-01T00:00:00Z")

    assert same == {"costPer1kTokens": "0.040000"}
    assert await periods(send, id) == before


async def test_prices_that_other_programs_replace_are_kept(
    send: Send, database: Database, database_url: str
) -> None:
    model = await make_ai_model(database)
    update = "update ai_models set {} where id = '{}'"
    await execute(database_url, update.format("cost_per_1k_tokens = 9", model.id))
    await execute(database_url, update.format("display_name = 'other'", model.id))

    [current, first] = await periods(send, global_id(model))
    assert (current[0], first[0]) == ("9.000000", "0.020000")
    assert current[1] == first[2]


async def test_concurrent_changes_leave_no_gap(send: Send, database: Database) -> None:
    id = global_id(await make_ai_model(database))
    prices = [f"0.{number:06}" for number in range(1, 11)]
    await asyncio.gather(*(reprice(send, id, costPer1kTokens=price) for price in prices))

    shown = await periods(send, id)
    assert sorted(price for price, _, _ in shown) == [*prices, "0.020000"]
    assert [since for _, since, _ in shown[:-1]] == [until for _, _, until in shown[1:]]
    starts = [since for _, since, _ in shown[:-1]]
    assert starts == sorted(starts, reverse=True)
