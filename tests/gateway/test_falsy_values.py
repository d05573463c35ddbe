"""Zero and the empty text are values: they are never taken for an input that was left out."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from graphql import (
    get_named_type,
    get_nullable_type,
    is_enum_type,
    is_input_object_type,
    is_list_type,
    is_required_input_field,
)
from starlette.applications import Starlette

from db import Database
from db.core.idempotency import IdempotencyKey
from db.dreams import Dream
from db.events import Event
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_ai_model, make_config_entry, make_dream, make_user
from support.gateways import Send, gateway, make_key, production, signed_in
from support.payloads import ERRORS, outcome_of

EMPTY_KEY = ("This text must have 1 to 200 characters.", "idempotencyKey")
EVENT = {"eventType": "deployed", "source": "ci"}
REFUSED = "refused { index errors { field } }"


@pytest.fixture
def app(database: Database) -> Starlette:
    return gateway(production(), database)


@pytest.fixture
async def user(database: Database) -> Any:
    return await make_user(database, role="ADMIN")


@pytest.fixture
async def send(app: Starlette, database: Database, user: Any) -> AsyncIterator[Send]:
    """Sends operations with a key of the user to a gateway in production."""
    key = await make_key(database, production(), user_id=user.id)
    async with signed_in(app, key.text) as send:
        yield send


async def outcome(send: Send, verb: str, input: dict[str, Any], shown: str = "") -> Any:
    """What a mutation shows, or its first error."""
    type_ = f"{verb[0].upper()}{verb[1:]}Input"
    text = f"mutation ($input: {type_}!) {{ answer: {verb}(input: $input) {{ {shown} {ERRORS} }} }}"
    return outcome_of((await send(text, input=input))["answer"])


def refused(batch: str, index: str, field: str) -> Any:
    """An item that was refused because of one field."""
    return {"index": int(index), "errors": [{"field": [batch, index, field]}]}


async def count(database: Database, table: Any) -> int:
    async with database.read() as session:
        return len(await session.rows(table.select()))


@pytest.mark.parametrize("verb", ["setConfig", "deleteConfig"])
async def test_version_zero_of_a_setting_is_a_version(
    send: Send, database: Database, verb: str
) -> None:
    await make_config_entry(database, key="limits.dreams", value=1)
    input: dict[str, Any] = {"key": "limits.dreams", "expectedVersion": 0}
    input |= {"value": 2} if verb == "setConfig" else {}
    assert await outcome(send, verb, input) == {
        "code": "CONFLICT",
        "message": "The current version is 1. Read it again before retrying.",
    }
    answer = await outcome(send, verb, input | {"key": "none"})
    assert answer["code"] == "NOT_FOUND"


async def test_version_zero_of_a_dream_is_a_version(
    send: Send, database: Database, user: Any
) -> None:
    dream = await make_dream(database, user_id=user.id, title="before")
    edit = {"id": global_id(dream), "title": "after"}
    answer = await outcome(send, "editDream", edit | {"expectedVersion": 0})
    assert answer["code"] == "CONFLICT"
    answer = await outcome(send, "editDream", edit | {"expectedVersion": None})
    assert answer == {}


async def test_an_empty_idempotency_key_is_refused(
    send: Send, database: Database, user: Any
) -> None:
    dream = global_id(await make_dream(database, user_id=user.id))
    await make_ai_model(database, provider="openai", name="gpt-4")
    model = {"provider": "openai", "model": "gpt-4"}
    inputs: dict[str, dict[str, Any]] = {
        "createDream": {"title": "Fly"},
        "remixDream": {"id": dream},
        "createUser": {"email": "new@example.org"},
        "createAiModel": {"provider": "openai", "name": "gpt-5"},
        "startAiTest": {"dreamId": dream, **model},
        "recordAiTest": {"dreamId": dream, **model, "impossibilityScore": 1},
    }
    for verb, input in inputs.items():
        for key in ("", "k" * 201):
            answer = await outcome(send, verb, input | {"idempotencyKey": key})
            assert (answer.get("message"), answer.get("field")) == EMPTY_KEY, verb
    tests = [inputs["recordAiTest"] | {"idempotencyKey": key} for key in ("", None)]
    batch = await outcome(send, "recordAiTests", {"tests": tests}, f"storedCount {REFUSED}")
    assert batch["storedCount"] == 1
    assert batch["refused"] == [refused("tests", "0", "idempotencyKey")]
    assert await count(database, Dream) == 1
    assert await count(database, IdempotencyKey) == 0


async def test_a_null_idempotency_key_is_none(send: Send, database: Database) -> None:
    for _ in range(2):
        answer = await outcome(send, "createDream", {"title": "Fly", "idempotencyKey": None})
        assert answer == {}
    assert await count(database, Dream) == 2


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"idempotencyKey": ""}, "idempotencyKey"),
        ({"idempotencyKey": "", "timestamp": "2026-11-01T00:00:00Z"}, "idempotencyKey"),
        ({"idempotencyKey": "k" * 201}, "idempotencyKey"),
    ],
)
async def test_an_empty_key_of_an_event_is_refused(
    send: Send, database: Database, input: dict[str, Any], field: str
) -> None:
    answer = await outcome(send, "logEvent", EVENT | input)
    assert (answer["code"], answer["field"]) == ("INVALID", field)
    shown = f"storedCount {REFUSED}"
    batch = await outcome(send, "logEvents", {"events": [EVENT | input, EVENT]}, shown)
    assert batch == {"storedCount": 1, "refused": [refused("events", "0", field)]}
    key = {"idempotencyKey": input["idempotencyKey"]}
    batch = await outcome(send, "logEvents", {"events": [EVENT], **key}, shown)
    assert (batch["code"], batch["field"]) == ("INVALID", "idempotencyKey")
    assert await count(database, Event) == 1


def ids() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each mutation that takes an id, the field of that id, and an input with "" in it."""
    mutations = schema._schema.mutation_type
    assert mutations is not None
    for verb, mutation in mutations.fields.items():
        fields = get_named_type(mutation.args["input"].type).fields
        needed = {name: item for name, item in fields.items() if is_required_input_field(item)}
        complete = {name: acceptable(get_nullable_type(item.type)) for name, item in needed.items()}
        for name, item in fields.items():
            if get_named_type(item.type).name == "ID":
                yield verb, name, complete | {name: ""}


def acceptable(type_: Any) -> Any:
    """Some value of an input type."""
    if is_enum_type(type_):
        return next(iter(type_.values))
    if is_list_type(type_):
        return acceptable(get_nullable_type(type_.of_type))
    if is_input_object_type(type_):
        needed = {n: item for n, item in type_.fields.items() if is_required_input_field(item)}
        if type_.is_one_of:
            needed = dict([next(iter(type_.fields.items()))])
        return {n: acceptable(get_nullable_type(item.type)) for n, item in needed.items()}
    return {"Float": 1.0, "Boolean": True, "JSON": {}, "BigInt": "1"}.get(str(type_), "x")


NO_ID = {
    ("INVALID", "This is not an ID of this API."),
    ("INVALID", "This is not the ID of a claim."),
}


@pytest.mark.parametrize(("verb", "field", "input"), list(ids()))
async def test_an_empty_id_is_invalid_in_every_mutation(
    send: Send, database: Database, verb: str, field: str, input: dict[str, Any]
) -> None:
    type_ = f"{get_named_type(schema._schema.mutation_type.fields[verb].args['input'].type)}"
    text = f"""mutation ($input: {type_}!) {{
      answer: {verb}(input: $input) {{ errors {{ code message field }} }}
      next: createDream(input: {{title: "Fly"}}) {{ errors {{ code }} }}
    }}"""
    answer = await send(text, input=input)
    [error] = [error for error in answer["answer"]["errors"] if error["field"][0] == field]
    assert (error["code"], error["message"]) in NO_ID
    assert answer["next"] == {"errors": []}
    assert await count(database, Event) == 0


async def test_an_empty_reference_is_a_reference(send: Send) -> None:
    alone = await outcome(send, "setConfig", {"key": "a", "reference": ""})
    both = await outcome(send, "setConfig", {"key": "a", "reference": "", "value": None})
    assert (alone["field"], both["field"]) == ("reference", "reference")


async def test_falsy_values_of_settings_are_stored(send: Send) -> None:
    shown = "configEntry { value category description }"
    for value in (0, "", [], {}, False, None):
        input = {"key": "a", "value": value, "description": ""}
        answer = await outcome(send, "setConfig", input, shown)
        assert answer == {"value": value, "category": None, "description": ""}


async def test_an_empty_cursor_is_no_cursor(app: Starlette, database: Database, user: Any) -> None:
    key = await make_key(database, production(), user_id=user.id)
    query = 'subscription { agentHistory(after: "") { kind } }'
    headers = {
        "authorization": f"Bearer {key.text}",
        "accept": "application/json, text/event-stream",
    }
    transport, base = httpx2.ASGITransport(app), "http://127.0.0.1:8000"
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as client,
    ):
        answer = await client.post("/graphql", json={"query": query})
        (error,) = answer.json()["errors"]
        assert error["message"] == "This is not a cursor."


async def test_empty_variables_in_the_address_are_not_json(
    app: Starlette, database: Database, user: Any
) -> None:
    key = await make_key(database, production(), user_id=user.id)
    headers = {"authorization": f"Bearer {key.text}"}
    parameters = {"query": "{ viewer { role } }", "variables": ""}
    transport, base = httpx2.ASGITransport(app), "http://127.0.0.1:8000"
    async with httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as client:
        answer = await client.get("/graphql", params=parameters)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"].startswith("`variables` is not JSON")
