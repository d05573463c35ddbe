"""An expiring key is used to make keys that never expire, or very many of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from db import Database, api_keys
from db.api_keys import ApiKey
from db.api_keys.writes import MAX_VALID
from db.core.api_key_format import ApiKeyCodec
from graph.core.types.node import global_id
from support.attack_target import Target
from support.factories import make_api_key, make_user
from support.gateways import make_key
from support.payloads import outcome_of

NOW = datetime.now(UTC)
HOUR = timedelta(hours=1)
SHOWN = """secret apiKey { id expiresAt createdBy { id } }
  errors { message code field }"""
CREATE = f"mutation ($input: CreateApiKeyInput!) {{ createApiKey(input: $input) {{ {SHOWN} }} }}"
ROTATE = f"mutation ($input: RotateApiKeyInput!) {{ rotateApiKey(input: $input) {{ {SHOWN} }} }}"
REVOKE = """mutation ($id: ID!) { revokeApiKey(input: {id: $id}) { errors { code } } }"""
WHO = "{ viewer { role } }"


async def created(target: Target, credential: str, **input: Any) -> Any:
    """The answer to a key made with a credential."""
    answer = await target.ask(CREATE, credential, input={"service": "attack", **input})
    return outcome_of(answer["createApiKey"])


async def rotated(target: Target, credential: str, id: str, **input: Any) -> Any:
    """The answer to a key replaced with a credential."""
    answer = await target.ask(ROTATE, credential, input={"id": id, **input})
    return outcome_of(answer["rotateApiKey"])


def shown(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S.%fZ}"


async def is_accepted(target: Target, credential: str) -> bool:
    """Whether a key is accepted once nothing is remembered of it."""
    target.forget()
    return (await target.post(WHO, credential)).status_code == 200


@pytest.fixture
async def limited(target: Target) -> Any:
    """A key that ends in an hour, and its row."""
    return await make_key(target.database, target.settings, expires_at=NOW + HOUR)


async def test_a_key_made_with_a_key_ends_no_later(target: Target, limited: Any) -> None:
    last = limited.record.expires_at

    left_out = await created(target, limited.text)
    sooner = await created(target, limited.text, expiresAt=shown(last - HOUR / 2))
    same = await created(target, limited.text, expiresAt=shown(last))
    later = await created(target, limited.text, expiresAt=shown(last + timedelta(microseconds=1)))

    assert left_out["apiKey"]["expiresAt"] == same["apiKey"]["expiresAt"] == shown(last)
    assert sooner["apiKey"]["expiresAt"] == shown(last - HOUR / 2)
    assert (later["code"], later["field"]) == ("INVALID", "expiresAt")
    assert later["message"].startswith("A key created with a key cannot expire later ")


async def test_a_key_of_a_key_of_a_key_ends_with_the_first(target: Target, limited: Any) -> None:
    key, last = limited.text, shown(limited.record.expires_at)
    for _ in range(3):
        made = await created(target, key)
        assert made["apiKey"]["expiresAt"] == last
        key = made["secret"]


async def test_a_key_does_not_replace_itself_to_live_longer(target: Target, limited: Any) -> None:
    last = limited.record.expires_at
    made = await rotated(target, limited.text, global_id(limited.record), overlapHours=0)
    assert made["apiKey"]["expiresAt"] == shown(last)
    assert not await is_accepted(target, limited.text)
    assert await is_accepted(target, made["secret"])


async def test_a_key_does_not_replace_others_to_live_longer(target: Target, limited: Any) -> None:
    other = await make_key(target.database, target.settings, user_id=limited.record.user_id)
    made = await rotated(target, limited.text, global_id(other.record))
    assert made["apiKey"]["expiresAt"] == shown(limited.record.expires_at)


async def test_keys_that_do_not_end_make_such_keys(target: Target) -> None:
    whole = await target.key()
    assert (await created(target, whole))["apiKey"]["expiresAt"] is None


async def test_revoking_a_key_revokes_those_made_with_it(target: Target) -> None:
    """Also those that replaced it by itself, and those made for others; but no key beside them."""
    database, admin = target.database, await make_user(target.database, role="ADMIN")
    stolen = await make_key(database, target.settings, user_id=admin.id)
    beside = await target.key(user_id=admin.id)
    other = global_id(await make_user(database))
    child = await created(target, stolen.text)
    grandchild = await created(target, child["secret"])
    for_other = await created(target, stolen.text, userId=other)
    successor = await rotated(target, stolen.text, global_id(stolen.record), overlapHours=1)
    made = [child, grandchild, for_other, successor]
    assert [each["apiKey"]["createdBy"] is not None for each in made] == [True] * 4

    await target.ask(REVOKE, beside, id=global_id(stolen.record))

    for key in (stolen.text, *(each["secret"] for each in made)):
        assert not await is_accepted(target, key)
    assert await is_accepted(target, beside)
    async with database.read() as session:
        keys = await session.records(ApiKey, ApiKey.select())
    assert sum(key.revoked_at is not None for key in keys) == 5


async def test_a_key_replaced_by_its_user_leaves_the_new_one(target: Target) -> None:
    user = await make_user(target.database)
    own = await target.key(user_id=user.id)
    old = await make_key(target.database, target.settings, user_id=user.id)
    async with target.database.write() as session:
        new = await api_keys.writes.rotate(
            session, ApiKeyCodec("prod", b"p" * 32), old.record.prefix
        )

    await target.ask(REVOKE, own, id=global_id(old.record))

    assert not await is_accepted(target, old.text)
    assert await is_accepted(target, new.text)


async def test_a_revoked_key_that_is_still_remembered_makes_no_key(target: Target) -> None:
    key = await make_key(target.database, target.settings)
    await target.ask(WHO, key.text)
    async with target.database.write() as session:
        await api_keys.writes.revoke(session, key.record.prefix)

    answer = await created(target, key.text)

    assert answer == {
        "code": "FORBIDDEN",
        "message": "The key that you sign in with is no longer valid.",
    }


async def test_no_key_is_made_while_its_maker_is_revoked(target: Target) -> None:
    key = await make_key(target.database, target.settings)

    async def revoke() -> None:
        async with target.database.write() as session:
            await api_keys.writes.revoke(session, key.record.prefix)

    answers = await asyncio.gather(
        *(created(target, key.text) for _ in range(5)), revoke(), return_exceptions=True
    )

    made = [a["secret"] for a in answers if isinstance(a, dict) and "secret" in a]
    assert [await is_accepted(target, secret) for secret in made] == [False] * len(made)


async def keys_of(database: Database, user: Any, count: int, **more: Any) -> None:
    for _ in range(count):
        await make_api_key(database, user_id=user.id, **more)


async def test_a_user_has_so_many_valid_keys(target: Target) -> None:
    user = await make_user(target.database)
    own = await target.key(user_id=user.id)
    await keys_of(target.database, user, 5, revoked_at=NOW)
    await keys_of(target.database, user, 5, expires_at=NOW - HOUR)
    await keys_of(target.database, user, MAX_VALID - 2)

    answers = await asyncio.gather(*(created(target, own) for _ in range(4)))
    made = [answer for answer in answers if "secret" in answer]
    too_many = {
        "code": "CONFLICT",
        "message": f"This user has {MAX_VALID} valid keys, the most allowed: revoke one first.",
    }
    assert [answer for answer in answers if answer not in made] == [too_many] * 3

    id = made[0]["apiKey"]["id"]
    assert await rotated(target, own, id) == too_many
    assert "secret" in await rotated(target, own, id, overlapHours=0)
    await target.ask(REVOKE, own, id=made[0]["apiKey"]["id"])
    assert (await created(target, own)) == too_many


@pytest.mark.parametrize("service", ["", "  ", "x" * 201, "x" * 1_000_000])
async def test_a_service_has_a_name_of_some_length(target: Target, service: str) -> None:
    answer = await created(target, await target.key(), service=service)
    assert (answer["code"], answer["field"]) == ("INVALID", "service")


async def test_scopes_are_those_of_the_registry(target: Target) -> None:
    long = ["tests:write"] * 1_000 + ["ADMIN"]
    for scopes, field in (
        (["tests:writ"], "scopes.0"),
        (["x" * 100_000], "scopes.0"),
        (long, "scopes"),
    ):
        answer = await created(target, await target.key(), scopes=scopes)
        assert (answer["code"], answer["field"]) == ("INVALID", field)
        assert len(answer["message"]) < 100
