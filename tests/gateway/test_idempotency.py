"""Idempotency keys: equal requests, how long a key is valid, and the results."""

from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import func, insert, text, update

from db import Database
from db.ai_tests import AiTest
from db.core import idempotency
from db.core.idempotency import IdempotencyKey
from db.dreams import Dream
from db.events import Event
from gateway import maintenance
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import Send, gateway, make_key, production, signed_in
from support.payloads import ERRORS, outcome_of, outcomes_of
from support.wait import until

IDS = {"createUser": "user { id }", "createAiModel": "aiModel { id }", "logEvent": "storedId"}
IDS |= dict.fromkeys(("startAiTest", "recordAiTest"), "aiTest { id }")
IDS |= dict.fromkeys(("createDream", "remixDream"), "dream { id }")
CHANGED = "This idempotency key was used with another input. Use another key."
GONE = (
    "The object created with this idempotency key was deleted since or is no longer visible to "
    "you. Use another key to create it again."
)


@pytest.fixture
async def user(database: Database) -> Any:
    return await make_user(database, role="ADMIN")


@pytest.fixture
async def dream(database: Database, user: Any) -> str:
    return global_id(await make_dream(database, user_id=user.id))


@pytest.fixture
async def send(database: Database, user: Any) -> AsyncIterator[Send]:
    """Sends operations with a key of the user to a gateway in production."""
    key = await make_key(database, production(), user_id=user.id)
    async with signed_in(gateway(production(), database), key.text) as send:
        yield send


def mutation(verb: str, shown: str = "") -> str:
    shown = f"{shown or IDS[verb]} {ERRORS}"
    type_ = f"{verb[0].upper()}{verb[1:]}Input"
    return f"mutation ($input: {type_}!) {{ answer: {verb}(input: $input) {{ {shown} }} }}"


async def outcome(send: Send, verb: str, input: dict[str, Any], shown: str = "") -> Any:
    """What a mutation shows, or its first error."""
    return outcome_of((await send(mutation(verb, shown), input=input))["answer"])


async def count(database: Database, table: Any) -> int:
    async with database.read() as session:
        return len(await session.rows(table.select()))


TEST: dict[str, Any] = {
    "provider": "openai",
    "model": "gpt-4",
    "impossibilityScore": 80,
    "cost": "0.10",
    "at": "2026-11-01T12:00:00Z",
    "parameters": {"a": 1, "b": {"c": [1, 2], "d": None}},
    "idempotencyKey": "one",
}
SAME: dict[str, dict[str, Any]] = {
    "as it was": {},
    "keys in another order": {"parameters": {"b": {"d": None, "c": [1, 2]}, "a": 1}},
    "numbers written otherwise": {"parameters": {"a": 1.0, "b": {"c": [1, 2e0], "d": None}}},
    "a decimal written otherwise": {"cost": 0.1},
    "a score written otherwise": {"impossibilityScore": 8e1},
    "the same instant": {"at": "2026-11-01T13:30:00.000+01:30"},
    "the default of the schema": {"status": "COMPLETED"},
    "a null where it means the same": {"reasoning": None, "tokensUsed": None},
}
OTHER: dict[str, dict[str, Any]] = {
    "another score": {"impossibilityScore": 80.01},
    "another decimal": {"cost": "0.101"},
    "another instant": {"at": "2026-11-01T12:00:00.000001Z"},
    "another order of a list": {"parameters": {"a": 1, "b": {"c": [2, 1], "d": None}}},
    "a text for a number": {"parameters": {"a": "1", "b": {"c": [1, 2], "d": None}}},
    "true for 1": {"parameters": {"a": True, "b": {"c": [1, 2], "d": None}}},
    "a key of JSON without its null": {"parameters": {"a": 1, "b": {"c": [1, 2]}}},
    "another text": {"model": "gpt-4 "},
    "one field more": {"confidence": 0},
}


@pytest.mark.parametrize("change", SAME)
async def test_the_same_input_is_carried_out_once(
    send: Send, database: Database, dream: str, change: str
) -> None:
    first = await outcome(send, "recordAiTest", {"dreamId": dream} | TEST)
    assert set(first) == {"id"}
    assert await outcome(send, "recordAiTest", TEST | SAME[change] | {"dreamId": dream}) == first
    assert await count(database, AiTest) == 1


@pytest.mark.parametrize("change", OTHER)
async def test_another_input_under_the_key_is_a_conflict(
    send: Send, database: Database, dream: str, change: str
) -> None:
    await outcome(send, "recordAiTest", TEST | {"dreamId": dream})
    answer = await outcome(send, "recordAiTest", TEST | OTHER[change] | {"dreamId": dream})
    assert answer == {"code": "CONFLICT", "message": CHANGED}
    assert await count(database, AiTest) == 1


async def test_literals_and_variables_are_the_same_input(send: Send, dream: str) -> None:
    literal = f"""mutation {{ answer: recordAiTest(input: {{
      idempotencyKey: "one", parameters: {{ b: {{ d: null, c: [1, 2.0] }}, a: 1e0 }},
      at: "2026-11-01T12:00:00Z", cost: 0.1, impossibilityScore: 80.0, model: "gpt-4",
      provider: "openai", dreamId: "{dream}"
    }}) {{ aiTest {{ id }} {ERRORS} }} }}"""
    first = await outcome(send, "recordAiTest", TEST | {"dreamId": dream})
    assert outcome_of((await send(literal))["answer"]) == first


async def test_null_and_left_out_differ_where_they_mean_different_things(
    send: Send, database: Database, dream: str
) -> None:
    remix = {"id": dream, "idempotencyKey": "one"}
    first = await outcome(send, "remixDream", remix)
    assert set(first) == {"id"}
    answer = await outcome(send, "remixDream", remix | {"description": None})
    assert answer["code"] == "CONFLICT"


async def test_a_test_of_a_batch_is_the_same_alone(
    send: Send, database: Database, dream: str
) -> None:
    test = TEST | {"dreamId": dream}
    tests = [test, test, test | {"cost": "1"}, test | {"idempotencyKey": "two"}]
    shown = f"storedCount aiTests {{ id }} refused {{ index {ERRORS} }}"
    batch = await outcome(send, "recordAiTests", {"tests": tests}, shown)
    first, second, third, fourth = outcomes_of(batch, "aiTests")
    assert first == second != fourth
    assert third == {"code": "CONFLICT", "message": CHANGED, "field": "tests.2"}
    assert await outcome(send, "recordAiTest", test) == first
    assert await count(database, AiTest) == 2


DELETE = "mutation ($input: DreamInput!) { deleteDream(input: $input) { __typename } }"


async def test_a_replay_of_what_was_deleted_is_not_found_and_the_rest_runs(
    send: Send, database: Database
) -> None:
    input = {"title": "Fly", "idempotencyKey": "one"}
    made = await outcome(send, "createDream", input)
    await send(DELETE, input={"id": made["id"]})
    text = f"""mutation ($input: CreateDreamInput!) {{
      replayed: createDream(input: $input) {{ dream {{ id }} {ERRORS} }}
      made: createDream(input: {{title: "Swim"}}) {{ dream {{ id }} {ERRORS} }}
    }}"""
    answer = await send(text, input=input)
    assert outcome_of(answer["replayed"]) == {"code": "NOT_FOUND", "message": GONE}
    assert answer["made"]["errors"] == []
    assert await count(database, Dream) == 1


@pytest.mark.parametrize(
    ("verb", "input"),
    [
        ("createUser", {"email": "new@example.org"}),
        ("createAiModel", {"provider": "openai", "name": "gpt-5"}),
        ("startAiTest", {"provider": "openai", "model": "gpt-4"}),
        ("remixDream", {}),
    ],
)
async def test_every_create_answers_not_found_once_its_row_is_gone(
    send: Send, database: Database, dream: str, verb: str, input: dict[str, Any]
) -> None:
    more = {"startAiTest": {"dreamId": dream}, "remixDream": {"id": dream}}
    input = input | more.get(verb, {}) | {"idempotencyKey": "one"}
    table = {
        "createUser": "users where email = 'new@example.org'",
        "createAiModel": "ai_models",
        "startAiTest": "ai_tests",
        "remixDream": "dreams where remixed_from_id is not null",
    }
    await outcome(send, verb, input)
    async with database.write() as session:
        assert await session.execute(text(f"delete from {table[verb]}")) == 1  # noqa: S608  a name of this file
    answer = await outcome(send, verb, input)
    assert answer == {"code": "NOT_FOUND", "message": GONE}


async def test_a_key_of_an_earlier_version_holds(
    send: Send, database: Database, user: Any, dream: str
) -> None:
    """Earlier versions hashed how Python prints the input."""
    printed = (
        "createDream CreateDreamInput(title='Fly', description=UNSET, original_prompt=UNSET, "
        "category=<DreamCategory.OTHER: 'OTHER'>, tags=[], is_public=False, "
        "status=<DreamStatus.ACTIVE: 'ACTIVE'>, idempotency_key=None)"
    )
    async with database.write() as session:
        row = {
            "caller": str(user.id),
            "key": "one",
            "request_hash": sha256(printed.encode()).hexdigest(),
            "entity_id": dream.removeprefix("dream_"),
        }
        await session.execute(insert(IdempotencyKey).values(row))
    answer = await outcome(send, "createDream", {"title": "Fly", "idempotencyKey": "one"})
    assert answer == {"id": dream}
    answer = await outcome(send, "createDream", {"title": "Swim", "idempotencyKey": "one"})
    assert answer == {"code": "CONFLICT", "message": CHANGED}


async def age(database: Database, hours: float) -> None:
    """Makes all keys that old."""
    async with database.write() as session:
        old = func.now() - text(f"interval '{hours} hours'")
        await session.execute(update(IdempotencyKey).values(created_at=old))


async def test_a_key_holds_for_48_hours_and_no_longer(send: Send, database: Database) -> None:
    input = {"title": "Fly", "idempotencyKey": "one"}
    first = await outcome(send, "createDream", input)
    await age(database, 47.9)
    assert await outcome(send, "createDream", input) == first
    await age(database, 48.1)
    second = await outcome(send, "createDream", input | {"title": "Swim"})
    assert set(second) == {"id"}
    assert second != first
    assert await outcome(send, "createDream", input | {"title": "Swim"}) == second
    assert await count(database, IdempotencyKey) == 1


async def test_expired_keys_are_removed_in_batches(
    send: Send, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "BATCH_ROWS", 2)
    for number in range(5):
        await outcome(send, "createDream", {"title": "Fly", "idempotencyKey": f"{number}"})
    await age(database, 48.1)
    await outcome(send, "createDream", {"title": "Fly", "idempotencyKey": "young"})
    assert await idempotency.remove_expired(database) == 5
    assert await idempotency.remove_expired(database) == 0
    async with database.read() as session:
        (key,) = await session.records(IdempotencyKey, IdempotencyKey.select())
    assert key.key == "young"


async def test_a_key_in_use_is_not_waited_for(send: Send, database: Database) -> None:
    for number in range(2):
        await outcome(send, "createDream", {"title": "Fly", "idempotencyKey": f"{number}"})
    await age(database, 48.1)
    async with database.write() as session:
        used = IdempotencyKey.select().where(IdempotencyKey.key == "1").with_for_update()
        await session.rows(used)
        assert await idempotency.remove_expired(database) == 1
    assert await idempotency.remove_expired(database) == 1


async def test_the_gateway_removes_expired_keys(send: Send, database: Database) -> None:
    await outcome(send, "createDream", {"title": "Fly", "idempotencyKey": "one"})
    await age(database, 48.1)

    async def is_removed() -> bool:
        return await count(database, IdempotencyKey) == 0

    async with maintenance.run_maintenance(database, production()):
        await until(is_removed)


async def test_a_key_of_an_event_holds_for_an_instant_however_it_is_written(
    send: Send, database: Database
) -> None:
    event = {"eventType": "deployed", "source": "ci", "idempotencyKey": "one"}
    times = ("2026-11-01T12:00:00Z", "2026-11-01T13:00:00.0+01:00", "2026-11-01T12:00:00-00:00")
    events = [event | {"timestamp": at} for at in times]
    stored = [await outcome(send, "logEvent", event) for event in events]
    assert stored == [stored[0]] * 3
    assert await count(database, Event) == 1
