"""The audit log: who changed what, for administrators; their own changes for everybody else."""

from typing import Any

import pytest
from sqlalchemy import func, text, update

from db import Database
from db.core import idempotency
from db.core.idempotency import IdempotencyKey
from db.core.values.rfc3339 import print_time
from graph.core.types.node import global_id
from support.factories import make_ai_test, make_audit_entry, make_user
from support.gateways import ask, gateway, make_key, production, signed_in

CREATE = "mutation ($input: CreateDreamInput!) { createDream(input: $input) { dream { id } } }"
PUBLISH = """mutation ($id: ID!) {
  publishDream(input: {id: $id}) { dream { isPublic } errors { message } }
}"""
LOG = """query ($filter: AuditEntryFilter) {
  auditLog(filter: $filter, orderBy: [{field: CREATED_AT}]) {
    nodes { operation entity entityId before after requestId actor { email } apiKey { prefix } }
  }
}"""


async def test_an_administrator_sees_who_changed_what(database: Database) -> None:
    settings = production()
    ada, admin = [await make_user(database, role=role) for role in ("MEMBER", "ADMIN")]
    key = await make_key(database, settings, user_id=ada.id)
    theirs = await make_key(database, settings, user_id=admin.id)
    app = gateway(settings, database)
    async with signed_in(app, key.text) as send:
        dream = (await send(CREATE, input={"title": "Fly"}))["createDream"]["dream"]["id"]
        await send(PUBLISH, id=dream)

    async with signed_in(app, theirs.text) as send:
        [created, published] = (await send(LOG, filter={"entityId": {"eq": dream}}))["auditLog"][
            "nodes"
        ]
        by_request = await send(LOG, filter={"requestId": {"eq": published["requestId"]}})

    made_by = {"actor": {"email": ada.email}, "apiKey": {"prefix": key.record.prefix}}
    assert created["before"] is None
    assert created["after"].items() >= {"id": dream, "title": "Fly", "is_public": False}.items()
    assert created["after"]["user_id"] == global_id(ada)
    assert published.items() >= made_by.items()
    assert published["operation"] == "publishDream"
    assert [published["entity"], published["entityId"]] == ["dreams", dream]
    assert published["before"].items() >= {"is_public": False, "version": 1}.items()
    assert published["after"].items() >= {"is_public": True, "version": 2}.items()
    assert by_request["auditLog"]["nodes"] == [published]


async def test_others_see_their_own_changes_alone(database: Database) -> None:
    settings, users = production(), [await make_user(database, role="OPERATOR") for _ in range(2)]
    entries = [await make_audit_entry(database, actor=user.id) for user in users]
    await make_audit_entry(database)  # by the gateway itself
    app = gateway(settings, database)
    for user, entry in zip(users, entries, strict=True):
        key = await make_key(database, settings, user_id=user.id)
        other = next(each for each in entries if each is not entry)
        async with signed_in(app, key.text) as send:
            seen = await send(
                """query ($other: ID!) {
                  auditLog(filter: {entity: {eq: "dreams"}}) { totalCount nodes { id } }
                  auditEntry(id: $other) { id }
                }""",
                other=global_id(other),
            )
        assert seen == {
            "auditLog": {"totalCount": 1, "nodes": [{"id": global_id(entry)}]},
            "auditEntry": None,
        }


@pytest.mark.parametrize(
    ("role", "scopes", "count"),
    [
        ("ADMIN", ["audit:read"], 2),
        ("OPERATOR", ["audit:read"], 1),
        ("MEMBER", ["audit:read"], 1),
        ("ADMIN", ["dreams:read"], None),
    ],
)
async def test_a_scope_limits_a_key_to_the_audit_log(
    database: Database, role: str, scopes: list[str], count: int | None
) -> None:
    settings, user = production(), await make_user(database, role=role)
    await make_audit_entry(database, actor=user.id)
    await make_audit_entry(database)
    key = await make_key(database, settings, user_id=user.id, scopes=scopes)
    query = '{ auditLog(filter: {entity: {eq: "dreams"}}) { totalCount } }'

    answer = (await ask(gateway(settings, database), key.text, query)).json()

    if count is None:
        assert [error["extensions"]["code"] for error in answer["errors"]] == ["FORBIDDEN"]
    else:
        assert answer == {"data": {"auditLog": {"totalCount": count}}}


async def test_secrets_are_not_shown(database: Database) -> None:
    settings, admin = production(), await make_user(database, role="ADMIN")
    key = await make_key(database, settings, user_id=admin.id)
    app = gateway(settings, database)
    async with signed_in(app, key.text) as send:
        await send(
            'mutation { createApiKey(input: {service: "worker"}) { errors { message } } }',
        )
        await send(
            """mutation { setConfig(input: {key: "mail.password", reference: "MAIL_PASSWORD"}) {
              errors { message } } }"""
        )
        refused = await send(
            """mutation { setConfig(input: {key: "mail.password", value: "hunter2hunter2"}) {
              errors { code } } }"""
        )
        made = (await send(LOG, filter={"operation": {"eq": "createApiKey"}}))["auditLog"]["nodes"]
        of_config = (await send(LOG, filter={"entity": {"eq": "system_config"}}))["auditLog"][
            "nodes"
        ]

    assert [entry["after"]["hashed_key"] for entry in made] == ["(secret)"]
    assert refused["setConfig"]["errors"] != []
    assert [entry["after"]["value"] for entry in of_config] == ["MAIL_PASSWORD"]


async def test_pages_of_a_time_follow_one_another(endpoint: Any, database: Database) -> None:
    entries = [await make_audit_entry(database, operation="importRows") for _ in range(5)]
    since, until = (print_time(entry.created_at) for entry in (entries[1], entries[4]))
    asked = f"""filter: {{
      operation: {{eq: "importRows"}} createdAt: {{gte: "{since}", lt: "{until}"}}
    }}"""
    seen, after = [], None
    for _ in range(2):
        place = f', after: "{after}"' if after else ""
        page = (
            await endpoint.data(
                f"{{ auditLog({asked}, first: 2{place}) {{ nodes {{ id }} "
                f"pageInfo {{ endCursor hasNextPage }} }} }}"
            )
        )["auditLog"]
        seen += [node["id"] for node in page["nodes"]]
        after = page["pageInfo"]["endCursor"]

    assert seen == [global_id(entry) for entry in entries[3:0:-1]]
    assert page["pageInfo"]["hasNextPage"] is False


async def test_menus_of_operations_and_tables(endpoint: Any, database: Database) -> None:
    await make_audit_entry(database, operation="importRows", entity="ai_tests")
    menus = await endpoint.data("{ auditOperations auditEntities }")

    assert "importRows" in menus["auditOperations"]
    assert {"ai_tests", "api_keys"} <= set(menus["auditEntities"])


async def test_who_viewed_is_the_request_log_of_a_user(database: Database) -> None:
    settings = production(request_log="on")
    ada, admin = [await make_user(database, role=role) for role in ("MEMBER", "ADMIN")]
    test = await make_ai_test(database)
    theirs = await make_key(database, settings, user_id=ada.id)
    key = await make_key(database, settings, user_id=admin.id)
    async with signed_in(gateway(settings, database), theirs.text) as send:
        await send("query Look($id: ID!) { node(id: $id) { id } }", id=global_id(test))
    async with signed_in(gateway(settings, database), key.text) as send:
        seen = await send(
            """query ($user: ID!) {
              events(filter: {eventType: {eq: "api_request"}, userId: {eq: $user}}) {
                nodes { payload metadata user { id } }
              }
            }""",
            user=global_id(ada),
        )

    [viewed] = seen["events"]["nodes"]
    assert viewed["payload"]["operation"] == "Look"
    assert viewed["user"] == {"id": global_id(ada)}


async def age(database: Database, hours: float) -> None:
    """Make all idempotency keys that old."""
    async with database.write() as session:
        old = func.now() - text(f"interval '{hours} hours'")
        await session.execute(update(IdempotencyKey).values(created_at=old))


async def test_idempotency_keys_are_valid_for_as_long_as_they_are_kept(database: Database) -> None:
    settings = production(keep_idempotency_hours=72)
    key = await make_key(database, settings)
    input = {"title": "Fly", "idempotencyKey": "one"}
    async with signed_in(gateway(settings, database), key.text) as send:
        first = await send(CREATE, input=input)
        await age(database, 71.9)
        assert await send(CREATE, input=input) == first
        assert await idempotency.remove_expired(database, settings.keep_keys) == 0
        await age(database, 72.1)
        assert await send(CREATE, input=input) != first
