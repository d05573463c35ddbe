"""API keys are made, replaced and ended by their users; a secret is shown once and not stored."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database
from db.api_keys import ApiKey
from db.audit import AuditEntry, Change
from db.core.api_key_format import ApiKeyCodec
from db.core.values import json
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import ANONYMOUS, DEVELOPER, Principal
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_user
from support.mutations import Run, outcome, stored
from support.payloads import ERRORS

MINT = ApiKeyCodec("test", b"pepper")
CREATED = f"""secret apiKey {{ id service prefix scopes expiresAt user {{ id }} }}
  {ERRORS}"""
REVOKED = f"apiKey {{ prefix revokedAt }} {ERRORS}"
LIST = "query ($all: Boolean) { apiKeys(everybodys: $all) { totalCount nodes { prefix } } }"


@pytest.fixture
def run(database: Database) -> Run:
    """As everywhere, with a mint."""

    async def run(text: str, variables: Any = None, who: Principal = DEVELOPER) -> OperationResult:
        context = Context(database, who, "test-request", api_key_codec=lambda: MINT)
        result = await execute(prepare(schema, text), variables, context)
        return replace(result, data=json.loads(result.body).get("data"))  # as a client sees it

    return run


async def viewer(database: Database, role: Role = Role.MEMBER) -> Principal:
    return Principal((await make_user(database, role=role)).id, role)


async def write(
    run: Run, verb: str, who: Principal, shown: str = CREATED, **input: Any
) -> dict[str, Any]:
    return await outcome(run, verb, input, who, shown)


async def test_a_key_is_shown_once(database: Database, run: Run) -> None:
    who = await viewer(database)
    answer = await write(run, "createApiKey", who, service="worker")

    [key] = await stored(database, ApiKey)
    entries = await stored(database, AuditEntry)
    secret = answer["secret"]
    credential = MINT.read(secret)
    assert credential
    assert MINT.proves(credential, key.hashed_key)
    assert answer == {
        "secret": secret,
        "apiKey": {
            "id": global_id(key),
            "service": "worker",
            "prefix": credential.prefix,
            "scopes": [],
            "expiresAt": None,
            "user": {"id": f"user_{key.user_id.hex}"},
        },
    }
    assert [(entry.operation, entry.entity_id) for entry in entries] == [("createApiKey", key.id)]
    assert [change.kind for change in await stored(database, Change)] == ["CREATED"]
    assert credential.secret not in repr([key, *entries])
    assert key.hashed_key not in repr(entries)


@pytest.mark.parametrize(
    ("role", "scopes", "code"),
    [
        (Role.MEMBER, ["config:write"], "FORBIDDEN"),
        (Role.MEMBER, ["admin"], None),
        (Role.MEMBER, ["tests:write", "dreams:read"], None),
        (Role.OPERATOR, ["tests:write", "unheard:of"], "INVALID"),
        (Role.OPERATOR, ["config:write", "events:write"], None),
        (Role.OPERATOR, ["Config"], "INVALID"),
    ],
)
async def test_a_key_has_no_more_rights_than_its_creator(
    database: Database, run: Run, role: Role, scopes: list[str], code: str | None
) -> None:
    who = await viewer(database, role)

    answer = await write(run, "createApiKey", who, service="worker", scopes=scopes)

    assert answer.get("code") == code


async def test_administrators_make_keys_of_others(database: Database, run: Run) -> None:
    user = await make_user(database)
    input = {"service": "worker", "userId": global_id(user)}

    refused = await write(run, "createApiKey", await viewer(database), **input)
    answer = await write(run, "createApiKey", DEVELOPER, **input)
    nobodys = await write(run, "createApiKey", DEVELOPER, service="worker")

    assert refused["code"] == "FORBIDDEN"
    assert answer["apiKey"]["user"] == {"id": global_id(user)}
    assert (nobodys["code"], nobodys["field"]) == ("INVALID", "userId")


async def test_a_key_is_replaced(database: Database, run: Run) -> None:
    who = await viewer(database)
    old = await write(run, "createApiKey", who, service="worker")
    new = await write(run, "rotateApiKey", who, id=old["apiKey"]["id"], overlapHours=1)
    wrong = await write(run, "rotateApiKey", who, id=old["apiKey"]["id"], overlapHours=169)

    first, second = await stored(database, ApiKey)
    left = first.expires_at - datetime.now(UTC)
    assert new["secret"] != old["secret"]
    assert (second.service, second.expires_at) == ("worker", None)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)
    assert (wrong["code"], wrong["field"]) == ("INVALID", "overlapHours")


async def test_a_key_that_may_more_is_not_replaced(database: Database, run: Run) -> None:
    operator = await viewer(database, Role.OPERATOR)
    who = Principal(operator.user_id, Role.MEMBER)
    key = await write(run, "createApiKey", operator, service="worker", scopes=["config:write"])

    answer = await write(run, "rotateApiKey", who, id=key["apiKey"]["id"])

    assert answer["code"] == "FORBIDDEN"


async def test_a_revoked_key_stays_revoked(database: Database, run: Run) -> None:
    who = await viewer(database)
    id = (await write(run, "createApiKey", who, service="worker"))["apiKey"]["id"]

    first = await write(run, "revokeApiKey", who, REVOKED, id=id)
    again = await write(run, "revokeApiKey", who, REVOKED, id=id)
    late = await write(run, "rotateApiKey", who, id=id)

    assert first["revokedAt"]
    assert first == again
    assert late["code"] == "CONFLICT"


async def test_keys_of_others_are_not_there(database: Database, run: Run) -> None:
    ada, bob = await viewer(database), await viewer(database)
    key = (await write(run, "createApiKey", ada, service="worker"))["apiKey"]
    node = "query ($id: ID!) { node(id: $id) { id } }"

    rotated = await write(run, "rotateApiKey", bob, id=key["id"])
    revoked = await write(run, "revokeApiKey", bob, REVOKED, id=key["id"])
    seen = [(await run(node, {"id": key["id"]}, who)).data for who in (ada, bob, DEVELOPER)]
    everybodys = await run(LIST, {"all": True}, bob)

    one = {"apiKeys": {"totalCount": 1, "nodes": [{"prefix": key["prefix"]}]}}
    assert (rotated["code"], revoked["code"]) == ("NOT_FOUND", "NOT_FOUND")
    one_key = {"node": {"id": key["id"]}}
    assert seen == [one_key, {"node": None}, one_key]
    assert (await run(LIST, None, ada)).data == one
    assert (await run(LIST, None, bob)).data == {"apiKeys": {"totalCount": 0, "nodes": []}}
    assert (await run(LIST, {"all": True}, DEVELOPER)).data == one
    assert [error["extensions"]["code"] for error in everybodys.errors] == ["FORBIDDEN"]


async def test_strangers_are_asked_to_sign_in(run: Run) -> None:
    answer = await run(LIST, None, ANONYMOUS)

    assert [error["extensions"]["code"] for error in answer.errors] == ["UNAUTHENTICATED"]
