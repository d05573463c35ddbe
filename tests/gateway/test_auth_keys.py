"""API keys: accepted, revoked within seconds, and never printed."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from db import Database, api_keys, users
from db.core.api_key_format import ApiKeyText
from gateway.auth import pepper, private_files
from gateway.auth.authenticator import Auth
from gateway.auth.credential_cache import TTLCache
from gateway.settings import Settings, SettingsRefused
from support.factories import make_user
from support.gateways import Clock, ask, gateway, is_refused, make_key, production, status, viewer
from support.principals import signed_in, with_scopes
from support.query_count import statements


async def revoke(database: Database, prefix: str) -> None:
    async with database.write() as session:
        await api_keys.writes.revoke(session, prefix)


@pytest.mark.parametrize("role", ["MEMBER", "OPERATOR", "ADMIN"])
async def test_a_key_acts_as_its_user(database: Database, role: str) -> None:
    user = await make_user(database, role=role)
    key = await make_key(database, production(), user_id=user.id)
    app = gateway(production(), database)

    answer = await ask(app, key.text, "{ viewer { role scopes user { createdAt } } }")

    created = f"{user.created_at:%Y-%m-%dT%H:%M:%S.%fZ}"
    expected = {"role": role, "scopes": [], "user": {"createdAt": created}}
    assert answer.json() == {"data": {"viewer": expected}}


async def test_scopes_limit_the_role(database: Database) -> None:
    user = await make_user(database, role="ADMIN")
    scopes = ["agents:read", "events:write"]
    key = await make_key(database, production(), user_id=user.id, scopes=scopes)
    app = gateway(production(), database)

    assert await viewer(app, key.text) == {"role": None, "scopes": scopes}
    assert await status(app, key.text) == 200
    allowed = await ask(app, key.text, "{ agents { totalCount } }")
    assert allowed.json() == {"data": {"agents": {"totalCount": 0}}}
    refused = await ask(app, key.text, "{ users { totalCount } }")
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_principals_of_tests_are_those_of_real_keys(database: Database) -> None:
    settings, user = production(), await make_user(database, role="OPERATOR")
    whole = await make_key(database, settings, user_id=user.id, scopes=[])
    scoped = await make_key(database, settings, user_id=user.id, scopes=["events:read"])
    auth, ids = Auth(settings, database), {"user_id": user.id}

    of_user, of_key = signed_in(user), replace(with_scopes("events:read"), **ids)
    assert await auth.authenticate(whole.text) == replace(of_user, key_id=whole.record.id)
    assert await auth.authenticate(scoped.text) == replace(of_key, key_id=scoped.record.id)


async def test_a_demoted_user_takes_the_rights_of_a_key_along(database: Database) -> None:
    user = await make_user(database, role="OPERATOR")
    key = await make_key(database, production(), user_id=user.id, scopes=["agents:read"])
    clock = Clock()
    app = gateway(production(), database, clock)
    assert await status(app, key.text) == 200

    async with database.write() as session:
        await users.assign(session, user, users.Role.MEMBER, set())
    clock.now += 5

    refused = await ask(app, key.text, "{ agents { totalCount } }")
    assert refused.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_the_scope_admin_is_the_role_of_the_user(database: Database) -> None:
    user = await make_user(database, role="OPERATOR")
    key = await make_key(database, production(), user_id=user.id, scopes=["admin"])
    app = gateway(production(), database)
    assert await viewer(app, key.text) == {"role": "OPERATOR", "scopes": ["admin"]}


async def test_the_principal_knows_its_key(database: Database) -> None:
    key = await make_key(database, production())
    auth = Auth(production(), database)
    principal = await auth.keys.principal(pepper.api_key_codec(production()), key.text)
    assert (principal.key_id, principal.user_id) == (key.record.id, key.record.user_id)


async def test_a_revoked_key_is_refused_everywhere_within_five_seconds(database: Database) -> None:
    key = await make_key(database, production())
    clocks = Clock(), Clock()
    one, other = (gateway(production(), database, clock) for clock in clocks)
    assert (await status(one, key.text), await status(other, key.text)) == (200, 200)

    await revoke(database, key.record.prefix)

    for clock in clocks:
        clock.now += 5
    assert is_refused(await ask(one, key.text))
    assert is_refused(await ask(other, key.text))


async def test_control_keys_are_cached(database: Database) -> None:
    key = await make_key(database, production())
    clock = Clock()
    app = gateway(production(), database, clock)
    with statements(database, exactly=1):
        await ask(app, key.text, "{ __typename }")
        clock.now += 4
        await ask(app, key.text, "{ __typename }")
    with statements(database, exactly=1):
        clock.now += 1
        await ask(app, key.text, "{ __typename }")


async def test_a_key_made_late_is_accepted_soon(database: Database) -> None:
    clock = Clock()
    app = gateway(production(), database, clock)
    api_key_codec = pepper.api_key_codec(production())
    known = await make_key(database, production())
    unknown = ApiKeyText("prod", "AAAAAAAA", "0" * 43)
    assert is_refused(await ask(app, unknown.text))
    with statements(database, exactly=0):
        assert is_refused(await ask(app, unknown.text))
    assert api_key_codec.read(known.text) is not None
    assert await status(app, known.text) == 200


async def test_expired_keys(database: Database) -> None:
    key = await make_key(
        database, production(), expires_at=datetime.now(UTC) + timedelta(seconds=3600)
    )
    app = gateway(production(), database)
    assert await status(app, key.text) == 200
    async with database.write() as session:
        await api_keys.writes.rotate(
            session, pepper.api_key_codec(production()), key.record.prefix, timedelta(0)
        )
    assert is_refused(await ask(gateway(production(), database), key.text))


def _typos(text: str) -> list[str]:
    swapped = text[:-8] + text[-7] + text[-8] + text[-6:]
    return [
        text[:-1],
        text + "0",
        text[:20] + ("a" if text[20] != "a" else "b") + text[21:],
        text[:9] + ("a" if text[9] != "a" else "b") + text[10:],
        swapped if swapped != text else text[:-1],
        text.replace("prod", "dev"),
        text.lower(),
        "dn_",
        "dn_prod_",
        f" {text} x",
    ]


async def test_typos_never_reach_the_database(database: Database) -> None:
    key = await make_key(database, production())
    app = gateway(production(), database)
    with statements(database, exactly=0):
        for typo in _typos(key.text):
            assert is_refused(await ask(app, typo)), typo
    assert await status(app, key.text) == 200


async def test_an_unknown_id_and_a_wrong_secret_look_and_work_alike(database: Database) -> None:
    key = await make_key(database, production())
    app = gateway(production(), database)
    answers = []
    for prefix in (key.record.prefix, "AAAAAAAA"):
        with statements(database, exactly=1) as sent:
            response = await ask(app, ApiKeyText("prod", prefix, "0" * 43).text, x_request_id="a")
        assert is_refused(response)
        answers.append((response.text, sent[0]))
    assert answers[0] == answers[1]


async def test_another_pepper_is_another_deployment(database: Database) -> None:
    key = await make_key(database, production())
    app = gateway(production(key_pepper="q" * 32), database)
    assert is_refused(await ask(app, key.text))


async def test_secrets_are_in_no_log_and_no_answer(database: Database) -> None:
    key = await make_key(database, production())
    secret = key.text[17:60]
    wrong = ApiKeyText("prod", key.record.prefix, secret[::-1])
    app = gateway(production(), database)
    with capture_logs() as logs:
        answers = [await ask(app, text) for text in (key.text, wrong.text, key.text[:-1])]
        await revoke(database, key.record.prefix)
        answers.append(await ask(gateway(production(), database), key.text))

    reasons = [line["reason"] for line in logs if line["event"] == "credential refused"]
    assert reasons == ["unknown key", "malformed key", "key revoked or expired"]
    received = repr(logs) + "".join(f"{answer.text}{answer.headers}" for answer in answers)
    assert len(secret) == 43
    assert secret not in received
    assert wrong.secret not in received
    assert key.record.hashed_key not in received
    assert secret not in repr((key, wrong, pepper.api_key_codec(production())))


async def test_use_is_noted(database: Database) -> None:
    key = await make_key(database, production())
    auth = Auth(production(), database)
    with statements(database, exactly=2):
        async with auth.running():
            for _ in range(3):
                await auth.keys.principal(pepper.api_key_codec(production()), key.text)
    async with database.read() as session:
        (noted,) = await api_keys.everyone(session)
    assert noted.last_used_at is not None


async def test_use_that_cannot_be_noted_is_noted_later() -> None:
    auth = Auth(production(), Database("postgresql://nobody@127.0.0.1:1/nothing"))
    used = {uuid4()}
    auth.keys.used |= used
    with capture_logs() as logs:
        await auth.keys.flush()
    assert auth.keys.used == used
    assert [line["event"] for line in logs] == ["the last use of keys could not be stored"]


async def test_only_so_many_keys_are_remembered() -> None:
    read: list[int] = []

    async def reading(keys: Collection[int]) -> dict[int, int]:
        read.extend(keys)
        return {key: key for key in keys}

    recent = TTLCache(reading, 5, 2, Clock())
    for key in (1, 2, 1, 3, 1, 2):
        assert await recent.get(key) == key
    assert read == [1, 2, 3, 2]
    await recent.refresh([3, 4, 5])
    assert (await recent.get(4), await recent.get(5)) == (4, 5)
    assert read == [1, 2, 3, 2, 3, 4, 5]


async def test_a_database_that_is_away_is_not_the_fault_of_the_key(database: Database) -> None:
    key = await make_key(database, production())
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    response = await ask(gateway(production(), away), key.text)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"


def test_production_needs_a_pepper() -> None:
    with pytest.raises(SettingsRefused, match="needs DREAMNET_KEY_PEPPER"):
        pepper.api_key_codec(production(key_pepper=None))


def test_development_makes_a_pepper_once(tmp_path: Path) -> None:
    first, again = (
        pepper.api_key_codec(Settings(_env_file=None, data_dir=tmp_path, port=port))
        for port in (1, 2)
    )
    file = tmp_path / "key.pepper"
    assert first == again
    assert len(first.pepper) == 64
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_concurrent_peppers_are_the_same(tmp_path: Path) -> None:
    together = Barrier(8)

    def make(_: int) -> str:
        together.wait()
        return private_files.secret(tmp_path / "key.pepper")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key.pepper"]
