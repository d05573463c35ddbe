"""Credentials of connections that stay open: looked at again and again, and ended when they no
longer hold."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from structlog.testing import capture_logs

from db import Database, api_keys, users
from db.users import Role
from gateway.auth import revalidation
from gateway.auth.authenticator import Auth
from gateway.auth.challenges import InvalidCredential
from gateway.auth.tokens import LEEWAY_SECONDS
from graph.core.principal import ANONYMOUS, Principal
from support.factories import make_user
from support.gateways import Clock, handshake, make_key, production
from support.oidc_issuer import AUDIENCE, KEYS, Issuer
from support.query_count import statements
from support.wait import patience, until


class Connection:
    """A connection that is open, with a credential in its header or in its first message."""

    def __init__(self, auth: Auth, text: str, in_header: bool = True) -> None:
        self.auth = auth
        headers = [(b"authorization", f"Bearer {text}".encode())] if in_header else []
        self.connection = HTTPConnection({"type": "websocket", "headers": headers})
        self.authorization = None if in_header else f"Bearer {text}"
        self.ended = 0

    async def open(self, until: ExitStack) -> Principal:
        principal = await self.auth.principal(self.connection, self.authorization)
        watched = self.auth.watched(self.connection, principal, self.end, self.authorization)
        until.enter_context(watched)
        return principal

    def end(self) -> None:
        self.ended += 1


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes what a test opened."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def auth(database: Database) -> Auth:
    return Auth(production(), database, Clock())


async def demote(database: Database, user: object) -> None:
    async with database.write() as session:
        await users.assign(session, user, Role.MEMBER, set())


@pytest.mark.parametrize("in_header", [True, False])
async def test_a_revoked_key_ends_its_connections(
    database: Database, auth: Auth, stack: ExitStack, in_header: bool
) -> None:
    revoked, other = await make_key(database, production()), await make_key(database, production())
    one, two = (Connection(auth, revoked.text, in_header) for _ in range(2))
    stays = Connection(auth, other.text, in_header)
    for connection in (one, two, stays):
        await connection.open(stack)
    await auth.watch.round()
    assert (one.ended, two.ended, stays.ended) == (0, 0, 0)

    async with database.write() as session:
        await api_keys.writes.revoke(session, revoked.record.prefix)
    for _ in range(2):
        with capture_logs() as lines:
            await auth.watch.round()
        assert revoked.text not in str(lines)

    assert (one.ended, two.ended, stays.ended) == (1, 1, 0)


async def test_an_expired_key_ends_its_connections(
    database: Database, auth: Auth, stack: ExitStack
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1)
    key = await make_key(database, production(), expires_at=soon)
    connection = Connection(auth, key.text)
    await connection.open(stack)
    await until_ended(auth, connection)
    assert datetime.now(UTC) >= soon


async def test_changed_rights_end_connections(
    database: Database, auth: Auth, stack: ExitStack
) -> None:
    user = await make_user(database, role="ADMIN")
    whole = await make_key(database, production(), user_id=user.id)
    scoped = await make_key(database, production(), user_id=user.id, scopes=["agents:read"])
    admin, agent = Connection(auth, whole.text), Connection(auth, scoped.text)
    assert (await admin.open(stack)).role == Role.ADMIN
    await agent.open(stack)

    await demote(database, user)
    await auth.watch.round()

    assert (admin.ended, agent.ended) == (1, 1)


async def test_a_credential_is_looked_up_once_for_all_its_connections(
    database: Database, auth: Auth, stack: ExitStack
) -> None:
    key = await make_key(database, production())
    connections = [Connection(auth, key.text) for _ in range(100)]
    for connection in connections:
        await connection.open(stack)
    with statements(database, exactly=1):
        await auth.watch.round()
    assert not any(connection.ended for connection in connections)


async def test_credentials_are_looked_up_many_together(
    database: Database, auth: Auth, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revalidation, "STEPS", 2)
    keys = [await make_key(database, production()) for _ in range(10)]
    connections = [Connection(auth, key.text) for key in keys]
    for connection in connections:
        await connection.open(stack)
    async with database.write() as session:
        await api_keys.writes.revoke(session, keys[3].record.prefix)
    with statements(database, exactly=2):
        await auth.watch.round()
    assert [connection.ended for connection in connections] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]


async def test_connections_that_were_closed_are_forgotten(database: Database, auth: Auth) -> None:
    key = await make_key(database, production())
    connection = Connection(auth, key.text)
    with ExitStack() as stack:
        await connection.open(stack)
        assert len(auth.watch.watched) == 1
    with statements(database, exactly=0):
        await auth.watch.round()
    assert auth.watch.watched == {}


async def test_a_database_that_is_away_ends_nothing(
    database: Database, auth: Auth, stack: ExitStack
) -> None:
    key = await make_key(database, production())
    connection = Connection(auth, key.text)
    await connection.open(stack)
    auth.keys.database = Database("postgresql://nobody@127.0.0.1:1/nothing")

    await auth.watch.round()
    assert connection.ended == 0

    auth.keys.database = database
    async with database.write() as session:
        await api_keys.writes.revoke(session, key.record.prefix)
    await auth.watch.round()
    assert connection.ended == 1


@pytest.fixture
def by_token(issuer: Issuer, database: Database) -> Auth:
    return Auth(production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE), database, Clock())


async def test_a_token_that_expires_ends_its_connections_without_a_database(
    issuer: Issuer, by_token: Auth, stack: ExitStack
) -> None:
    expiry = int(time.time()) + 2
    ending, staying = (Connection(by_token, issuer.token(exp=at)) for at in (expiry, expiry + 1000))
    await ending.open(stack)
    await staying.open(stack)
    assert by_token.tokens is not None
    by_token.tokens.database = Database("postgresql://nobody@127.0.0.1:1/nothing")

    await until_ended(by_token, ending)

    assert time.time() >= expiry
    assert (ending.ended, staying.ended) == (1, 0)


async def test_a_token_accepted_by_the_leeway_is_not_revoked_at_once(
    issuer: Issuer, by_token: Auth, stack: ExitStack
) -> None:
    connection = Connection(by_token, issuer.token(exp=int(time.time()) - 5))
    await connection.open(stack)
    await by_token.watch.round()
    assert connection.ended == 0


async def test_changed_roles_of_token_holders_end_connections(
    issuer: Issuer, database: Database, by_token: Auth, stack: ExitStack
) -> None:
    user = await make_user(database, role="OPERATOR", email="ada@example.org")
    connection = Connection(by_token, issuer.token())
    assert (await connection.open(stack)).role == Role.OPERATOR

    await demote(database, user)
    await by_token.watch.round()

    assert connection.ended == 1


async def test_a_key_that_the_issuer_withdraws_ends_its_connections(
    issuer: Issuer, database: Database, stack: ExitStack
) -> None:
    clock = Clock()
    settings = production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    auth = Auth(settings, database, clock)
    connection = Connection(auth, issuer.token())
    await connection.open(stack)
    await auth.watch.round()
    assert connection.ended == 0

    issuer.answer = JSONResponse({"keys": KEYS[1:]})
    clock.now += 60
    assert auth.tokens
    await auth.tokens.issuer.refresh()
    await auth.watch.round()
    assert connection.ended == 1


async def test_a_token_that_was_verified_expires_all_the_same(
    issuer: Issuer, by_token: Auth
) -> None:
    token = issuer.token(exp=int(time.time()) - LEEWAY_SECONDS + 2)
    await by_token.authenticate(token)

    async def refused() -> bool:
        try:
            await by_token.authenticate(token)
        except InvalidCredential:
            return True
        return False

    await until(refused)


async def test_users_of_tokens_are_looked_up_many_together(
    issuer: Issuer,
    database: Database,
    by_token: Auth,
    stack: ExitStack,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revalidation, "STEPS", 1)
    emails = [f"{name}@example.org" for name in ("ada", "ben", "cleo")]
    found = [await make_user(database, role="OPERATOR", email=email) for email in emails]
    tokens = [issuer.token(sub=email, email=email) for email in emails]
    connections = [Connection(by_token, token) for token in tokens]
    for connection in connections:
        await connection.open(stack)
    await demote(database, found[1])
    with statements(database, exactly=1):
        await by_token.watch.round()
    assert [connection.ended for connection in connections] == [0, 1, 0]


async def test_anonymous_clients_are_not_watched(database: Database, stack: ExitStack) -> None:
    auth = Auth(production(public_read=True), database)
    connection = HTTPConnection(handshake())
    assert await auth.principal(connection) == ANONYMOUS
    stack.enter_context(auth.watched(connection, ANONYMOUS, lambda: None))
    assert auth.watch.watched == {}


async def until_ended(auth: Auth, connection: Connection) -> None:
    async with patience():
        while not connection.ended:
            await auth.watch.round(0.1)
