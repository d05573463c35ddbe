"""Disabled and deleted users continue with credentials and connections from before."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from db import Database, users
from db.ai_tests import AiTest
from db.audit import AuditEntry, Change
from db.core.table import Table
from db.dreams import Dream
from db.users import User
from graph.core.types.node import global_id
from support.attack_target import Target
from support.factories import (
    make_ai_test,
    make_api_key,
    make_config_entry,
    make_dream,
    make_event,
    make_notification,
    make_user,
    make_user_action,
)
from support.feeds import number_changes
from support.gateways import make_key, production
from support.oidc_issuer import AUDIENCE, Issuer
from support.payloads import outcome_of
from support.stream_client import listening
from support.websocket_client import greeted, serving

WHO = "{ viewer { user { id } } }"
SHOWN = "user { disabledAt } errors { message code }"
DISABLE = f"mutation ($id: ID!) {{ disableUser(input: {{id: $id}}) {{ {SHOWN} }} }}"
ENABLE = f"mutation ($id: ID!) {{ enableUser(input: {{id: $id}}) {{ {SHOWN} }} }}"
DELETE = """mutation ($id: ID!) { deleteUser(input: {id: $id}) {
  deletedUserId keptDreamCount errors { message code }
} }"""
DREAMS = "subscription { dreams { kind } }"


async def did(target: Target, document: str, credential: str, user: Any) -> Any:
    """The answer of a mutation of a user."""
    [answer] = (await target.ask(document, credential, id=global_id(user))).values()
    return outcome_of(answer)


async def test_a_disabled_user_is_refused_with_all_credentials(
    claimed: Target, issuer: Issuer
) -> None:
    user = await make_user(claimed.database)
    admin = await claimed.key_of("ADMIN")
    credentials = [
        await claimed.key(user_id=user.id),
        await claimed.key(user_id=user.id, scopes=["tests:write"]),
        issuer.token(email=user.email),
    ]

    async def statuses() -> list[int]:
        claimed.forget()
        return [(await claimed.post(WHO, each)).status_code for each in credentials]

    assert await statuses() == [200] * 3
    disabled = await did(claimed, DISABLE, admin, user)
    assert disabled["disabledAt"]
    assert await did(claimed, DISABLE, admin, user) == disabled
    assert await statuses() == [401] * 3
    assert await did(claimed, ENABLE, admin, user) == {"disabledAt": None}
    assert await statuses() == [200] * 3


async def test_open_streams_of_a_disabled_user_end(database: Database, issuer: Issuer) -> None:
    settings = production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    user, admin = await make_user(database), await make_user(database, role="ADMIN")
    key = (await make_key(database, settings, user_id=user.id)).text
    token = issuer.token(email=user.email)
    async with (
        serving(settings, database) as address,
        greeted(address, authorization=f"Bearer {key}") as by_key,
        greeted(address, authorization=f"Bearer {token}") as by_token,
        listening(address, DREAMS, authorization=f"Bearer {key}") as stream,
    ):
        await by_key.ask("1", DREAMS)
        await by_token.ask("1", DREAMS)
        async with database.write() as session:
            await users.disable(session, user, {admin.id})

        assert await by_key.close_code() == (4403, "Forbidden")
        assert await by_token.close_code() == (4403, "Forbidden")
        while await stream.chunk():
            pass


async def test_a_disabled_user_gets_no_key(target: Target) -> None:
    user, admin = await make_user(target.database), await target.key_of("ADMIN")
    await did(target, DISABLE, admin, user)
    document = """mutation ($id: ID!) {
        createApiKey(input: {service: "attack", userId: $id}) {
            errors { code message }
        }
    }"""
    answer = await target.ask(document, admin, id=global_id(user))
    refused = {"code": "CONFLICT", "message": "This user is disabled."}
    assert answer["createApiKey"] == {"errors": [refused]}


@pytest.mark.parametrize("document", [DISABLE, ENABLE, DELETE])
@pytest.mark.parametrize("role", ["MEMBER", "OPERATOR"])
async def test_only_administrators_do_this(target: Target, document: str, role: str) -> None:
    user = await make_user(target.database)
    caller = await target.key_of(role)
    limited = await target.key_of("ADMIN", "users:write", "users:read")
    for credential in (caller, limited):
        assert (await target.refusal(document, credential, id=global_id(user)))[1] == "FORBIDDEN"


@pytest.mark.parametrize("document", [DISABLE, DELETE])
async def test_the_last_administrator_stays(target: Target, document: str) -> None:
    """Disabled administrators do not count. Of several that are removed at once, one is kept."""
    database = target.database
    admins = [await make_user(database, role="ADMIN") for _ in range(3)]
    disabled = await make_user(database, role="ADMIN", disabled_at=func.now())
    keys = [await target.key(user_id=admin.id) for admin in admins]

    answers = await asyncio.gather(
        *(did(target, document, key, admin) for key, admin in zip(keys, admins, strict=True))
    )

    kept = {
        "code": "CONFLICT",
        "message": "This is the last administrator: give another user the role ADMIN first.",
    }
    assert answers.count(kept) == 1
    left = keys[answers.index(kept)]
    assert (await did(target, document, left, disabled)).get("code") != "CONFLICT"


async def test_the_last_enabled_administrator_is_not_demoted(target: Target) -> None:
    admin = await make_user(target.database, role="ADMIN")
    other = await make_user(target.database, role="ADMIN")
    key = await target.key(user_id=admin.id)
    await did(target, DISABLE, key, other)
    document = f"""mutation ($id: ID!) {{
        setRole(input: {{id: $id, role: MEMBER}}) {{ {SHOWN} }}
    }}"""
    assert (await did(target, document, key, admin))["code"] == "CONFLICT"
    assert "disabledAt" in await did(target, document, key, other)


async def counted(database: Database, table: type[Table]) -> int:
    async with database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(table)))


async def test_nothing_private_is_public_when_its_user_is_deleted(target: Target) -> None:
    database = target.database
    user, admin = await make_user(database), await make_user(database, role="ADMIN")
    key, admins = await target.key(user_id=user.id), await target.key(user_id=admin.id)
    made = {
        public: await make_dream(database, user_id=user.id, is_public=public, title=f"{public}")
        for public in (True, False)
    }
    foreign = await make_dream(database, title="foreign")
    for dream in (*made.values(), foreign):
        await make_ai_test(database, dream_id=dream.id, user_id=user.id)
    await make_notification(database, user_id=user.id)
    await make_api_key(database, user_id=user.id)
    await make_event(database, user_id=user.id)
    await make_user_action(database, user_id=user.id)
    await make_config_entry(database, updated_by=user.id)
    titles = "{ dreams(orderBy: [{field: TITLE}]) { nodes { title owner { id } } } }"

    gone = await did(target, DELETE, admins, user)
    target.forget()

    assert gone == {
        "deletedUserId": global_id(user),
        "keptDreamCount": 2,
    }
    assert (await target.post(WHO, key)).status_code == 401
    open_ = "{ dreams { totalCount } progressLogs { totalCount } }"
    assert (await target.ask(open_))["dreams"] == {"totalCount": 2}
    seen = (await target.ask(titles, await target.key()))["dreams"]["nodes"]
    assert [node["title"] for node in seen] == ["True", "foreign"]
    assert seen[0]["owner"] is None
    everything = (await target.ask(titles, admins))["dreams"]["nodes"]
    assert [node["title"] for node in everything] == ["False", "True", "foreign"]
    used = "{ aiTests { totalCount nodes { user { id } } } events { nodes { user { id } } } "
    used += "userActions { nodes { user { id } } } configs { nodes { updatedBy { id } } } }"
    assert await target.ask(used, admins) == {
        "aiTests": {"totalCount": 3, "nodes": [{"user": None}] * 3},
        "events": {"nodes": [{"user": None}]},
        "userActions": {"nodes": [{"user": None}]},
        "configs": {"nodes": [{"updatedBy": None}]},
    }
    assert await counted(database, AiTest) == 3


async def test_rows_of_a_deleted_user_are_traced(target: Target) -> None:
    database = target.database
    user, admin = await make_user(database), await make_user(database, role="ADMIN")
    dream = await make_dream(database, user_id=user.id, version=3)
    test = await make_ai_test(database, dream_id=dream.id, user_id=user.id)
    key = await make_api_key(database, user_id=user.id)

    await did(target, DELETE, await target.key(user_id=admin.id), user)

    await number_changes(database)
    async with database.read() as session:
        by_admin = AuditEntry.actor == admin.id
        entries = await session.records(AuditEntry, AuditEntry.select().where(by_admin))
        changes = await session.records(Change, Change.select().order_by(Change.seq))
        [kept] = await session.records(Dream, Dream.select())
    traces = {(entry.entity, entry.entity_id): entry for entry in entries}
    assert {entry.operation for entry in entries} == {"deleteUser"}
    assert traces["dreams", dream.id].before == {"user_id": str(user.id)}
    assert traces["dreams", dream.id].after == {"user_id": None}
    assert traces["users", user.id].before["email"] == user.email
    assert traces["api_keys", key.id].after is None
    received = {(change.noun, change.entity_id, change.kind) for change in changes}
    assert {
        ("dreams", dream.id, "UPDATED"),
        ("ai_tests", test.id, "UPDATED"),
        ("users", user.id, "DELETED"),
    } <= received
    assert (kept.version, kept.user_id) == (4, None)


async def test_keys_that_a_deleted_user_made_for_others_end(target: Target) -> None:
    database = target.database
    await make_user(database, role="ADMIN")
    admin, other = await make_user(database, role="ADMIN"), await make_user(database)
    stolen = await target.key(user_id=admin.id)
    document = """mutation ($id: ID!) {
        createApiKey(input: {service: "attack", userId: $id}) { secret }
    }"""
    made = (await target.ask(document, stolen, id=global_id(other)))["createApiKey"]["secret"]
    assert (await target.post(WHO, made)).status_code == 200

    await did(target, DELETE, await target.key_of("ADMIN"), admin)
    target.forget()

    assert (await target.post(WHO, made)).status_code == 401


async def test_a_token_of_a_deleted_user_begins_a_new_user(claimed: Target, issuer: Issuer) -> None:
    """That owns nothing; docs/identity.md says how to keep such users out."""
    user = await make_user(claimed.database)
    await make_dream(claimed.database, user_id=user.id, is_public=False)
    token = issuer.token(email=user.email)
    before = (await claimed.ask(WHO, token))["viewer"]["user"]

    await did(claimed, DELETE, await claimed.key_of("ADMIN"), user)
    claimed.forget()

    after = await claimed.ask(f"{WHO[:-1]} dreams {{ totalCount }} }}", token)
    assert after["viewer"]["user"] != before
    assert after["dreams"] == {"totalCount": 0}


async def test_administrators_list_the_keys_of_a_user(target: Target) -> None:
    database, admin = target.database, await target.key_of("ADMIN")
    user, other = await make_user(database), await make_user(database)
    [one, two] = [await make_api_key(database, user_id=each.id) for each in (user, other)]
    by_user = """query ($id: ID!) {
        apiKeys(everybodys: true, filter: {userId: {eq: $id}}) { nodes { prefix } }
        user(id: $id) { apiKeys { totalCount nodes { prefix } } }
    }"""
    shown = [{"prefix": one.prefix}]

    assert await target.ask(by_user, admin, id=global_id(user)) == {
        "apiKeys": {"nodes": shown},
        "user": {"apiKeys": {"totalCount": 1, "nodes": shown}},
    }
    operator = await target.key_of("OPERATOR")
    assert (await target.refusal(by_user, operator, id=global_id(user)))[1] == "FORBIDDEN"
    assert two.prefix != one.prefix
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(User)) >= 3
