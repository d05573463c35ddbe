"""WebSockets: credentials, in the handshake or the first message, and their end."""

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from db import Database, api_keys, users
from db.users import Role
from gateway.auth.authenticator import Auth
from support.factories import make_user
from support.gateways import WHO, make_key, production
from support.oidc_issuer import AUDIENCE, Issuer
from support.stream_client import HISTORY, port
from support.wait import until
from support.websocket_client import dialled, greeted, greeting_refusal, handshake_refusal, serving

pytestmark = pytest.mark.usefixtures("log")

MEMBER = {"data": {"viewer": {"role": "MEMBER", "scopes": []}}}

FORBIDDEN = (4403, "Forbidden")

INVALID = "This credential is not valid: it is unknown, expired or revoked."

SIGN_IN = "Sign in: send `Authorization: Bearer` with a key or a token."

OTHER_SITES = (
    "In development, pages of other sites need a key (`Authorization: Bearer`), or their origin in "
    "DREAMNET_CORS_ORIGINS."
)


@pytest.fixture
async def produced(database: Database) -> AsyncIterator[str]:
    """The address of a gateway in production."""
    async with serving(production(), database) as address:
        yield address


@pytest.mark.parametrize("name", ["authorization", "Authorization", "AUTHORIZATION"])
@pytest.mark.parametrize("nested", [False, True])
async def test_a_key_in_connection_init(
    database: Database, produced: str, name: str, nested: bool
) -> None:
    key = await make_key(database, production())
    given = {name: f"Bearer {key.text}"}
    async with greeted(produced, **({"headers": given} if nested else given)) as client:
        assert await client.answer("1", WHO) == MEMBER


async def test_a_key_in_the_handshake(database: Database, produced: str) -> None:
    key = await make_key(database, production())
    headers = {"Authorization": f"Bearer {key.text}"}
    async with dialled(produced, additional_headers=headers) as client:
        await client.greet()
        assert await client.answer("1", WHO) == MEMBER


async def test_connection_init_overrides_the_handshake(database: Database, produced: str) -> None:
    user = await make_user(database, role="ADMIN")
    one = await make_key(database, production())
    other = await make_key(database, production(), user_id=user.id)
    headers = {"Authorization": f"Bearer {one.text}"}
    async with dialled(produced, additional_headers=headers) as client:
        await client.greet(authorization=f"Bearer {other.text}")
        answer = await client.answer("1", WHO)
        assert answer == {"data": {"viewer": {"role": "ADMIN", "scopes": []}}}


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer nonsense", "Basic YTpi", "Bearer " + "x" * 9000, "Bearer a\0b"],
)
async def test_a_bad_credential_is_refused(produced: str, given: str) -> None:
    assert await greeting_refusal(produced, {"authorization": given}) == (4403, INVALID)


async def test_a_bad_credential_does_not_fall_back(database: Database, produced: str) -> None:
    key = await make_key(database, production())
    headers = {"Authorization": f"Bearer {key.text}"}
    assert await greeting_refusal(produced, {"authorization": "Bearer x"}, **headers) == (
        4403,
        INVALID,
    )


async def test_a_bad_credential_in_the_handshake_is_refused_unless_connection_init_has_another(
    database: Database, produced: str
) -> None:
    key = await make_key(database, production())
    headers = {"Authorization": "Bearer nonsense"}
    assert await greeting_refusal(produced, {}, **headers) == (4403, INVALID)
    async with dialled(produced, additional_headers=headers) as client:
        await client.greet(authorization=f"Bearer {key.text}")
        assert await client.answer("1", WHO) == MEMBER


async def test_no_credential_is_tried_where_too_many_failed(database: Database) -> None:
    settings = production(failed_sign_ins_per_minute=1)
    async with serving(settings, database) as address:
        assert (await greeting_refusal(address, {"authorization": "Bearer a"}))[0] == 4403
        assert (await greeting_refusal(address, {"authorization": "Bearer b"}))[0] == 1013
        headers = {"Authorization": "Bearer c"}
        status, code, retry = await handshake_refusal(address, headers)
        assert (status, code) == (429, "RATE_LIMITED")
        assert int(retry or 0) > 0


async def test_a_credential_is_required(produced: str) -> None:
    assert await greeting_refusal(produced, {}) == (4403, SIGN_IN)


async def test_anonymous_clients_read_public_data_if_enabled(database: Database) -> None:
    async with (
        serving(production(public_read=True), database) as address,
        greeted(address) as client,
    ):
        answer = await client.answer("1", WHO)
        assert answer == {"data": {"viewer": {"role": None, "scopes": []}}}
        (error,) = await client.refusal("2", "{ users { totalCount } }")
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        (error,) = await client.refusal("3", HISTORY)
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        values = list(range(2000))
        (error,) = await client.refusal("4", "{ __typename }", variables={"a": values})
        assert error["extensions"]["code"] == "QUERY_TOO_COMPLEX"


async def test_a_forbidden_operation_is_an_error_of_its_own(
    database: Database, produced: str
) -> None:
    key = await make_key(database, production(), scopes=["events:write"])
    async with greeted(produced, authorization=f"Bearer {key.text}") as client:
        (error,) = await client.refusal("1", "{ users { totalCount } }")
        assert error["extensions"]["code"] == "FORBIDDEN"
        assert await client.is_alive()


async def test_points_are_spent_on_sockets_too(database: Database) -> None:
    settings = production(budget_points_per_minute=150)
    key = await make_key(database, settings)
    async with (
        serving(settings, database) as address,
        greeted(address, authorization=f"Bearer {key.text}") as client,
    ):
        spending = "{ modelComparison { rows { model } } }"
        assert await client.answer("1", spending) == {"data": {"modelComparison": {"rows": []}}}
        (error,) = await client.refusal("2", spending)
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert error["extensions"]["retryAfterMs"] > 0


async def test_sockets_of_other_sites_are_not_the_developers(address: str) -> None:
    assert await greeting_refusal(address, {}, Origin="https://evil.example") == (4403, OTHER_SITES)
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert await greeting_refusal(address, {}, **headers) == (4403, OTHER_SITES)
    async with dialled(address, additional_headers={"Origin": address}) as client:
        await client.greet()
        assert await client.is_alive()


async def test_in_development_the_host_is_this_machine(address: str) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        async with dialled("http://evil.example", host="127.0.0.1", port=port(address)):
            pass
    assert refusal.value.response.status_code == 403
    assert b"localhost" in (refusal.value.response.body or b"")


async def test_a_database_that_is_away_is_no_fault_of_the_credential(
    database: Database,
) -> None:
    key = await make_key(database, production())
    away = Database("postgresql://nobody@127.0.0.1:1/nothing")
    auth = Auth(production(), away)
    async with serving(production(), database, auth) as address:
        code, reason = await greeting_refusal(address, {"authorization": f"Bearer {key.text}"})
    assert code == 1013
    assert key.text not in reason


async def test_a_revoked_key_ends_its_sockets_and_no_others(
    database: Database, produced: str
) -> None:
    user = await make_user(database, role="OPERATOR")
    keys = [await make_key(database, production(), user_id=user.id) for _ in range(2)]
    revoked, other = keys
    async with (
        greeted(produced, authorization=f"Bearer {revoked.text}") as one,
        greeted(produced, authorization=f"Bearer {other.text}") as two,
    ):
        await one.follow("s")
        await two.follow("s")
        async with database.write() as session:
            await api_keys.writes.revoke(session, revoked.record.prefix)
        assert await one.close_code() == FORBIDDEN
        assert await two.is_alive()


async def test_changed_rights_end_sockets(database: Database, produced: str) -> None:
    user = await make_user(database, role="OPERATOR")
    key = await make_key(database, production(), user_id=user.id)
    async with greeted(produced, authorization=f"Bearer {key.text}") as client:
        await client.follow("s")
        async with database.write() as session:
            await users.assign(session, user, Role.MEMBER, set())
        assert await client.close_code() == FORBIDDEN
    async with greeted(produced, authorization=f"Bearer {key.text}") as client:
        assert await client.answer("1", WHO) == MEMBER


async def test_a_token_that_expires_ends_its_sockets(database: Database, issuer: Issuer) -> None:
    settings = production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    expiry = int(time.time()) + 3
    async with (
        serving(settings, database) as address,
        greeted(address, authorization=f"Bearer {issuer.token(exp=expiry)}") as ending,
        greeted(address, authorization=f"Bearer {issuer.token()}") as staying,
    ):
        assert await ending.close_code() == FORBIDDEN
        assert time.time() >= expiry
        assert await staying.is_alive()


async def test_credentials_are_not_logged(
    database: Database, produced: str, log: list[Any]
) -> None:
    key = await make_key(database, production())
    async with greeted(produced, authorization=f"Bearer {key.text}") as client:
        await client.answer("1", WHO)
    await greeting_refusal(produced, {"authorization": f"Bearer {key.text}x"})
    await until(lambda: len([line for line in log if line["event"] == "socket closed"]) == 2)
    assert key.text not in str(log)
