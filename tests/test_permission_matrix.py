"""Every field and every input of the schema, for every kind of caller: allowed or refused as
declared.

Callers have real credentials. The declared accesses are also in `permissions.txt`, so that a change
is seen in review; `make golden` writes it.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest

from db import Database, users
from db.users import RANKS, Role
from gateway.auth.authenticator import Auth
from graph.core.context import Context
from graph.core.execution.execute import execute, open_stream
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.permission import Access
from graph.core.principal import ANONYMOUS, Principal
from graph.schema import schema
from support.databases import create_database, drop_database
from support.factories import make_user
from support.field_operations import INPUTS, accesses, declared, document, fields, usings
from support.gateways import gateway, make_key, production
from support.oidc_issuer import AUDIENCE, serving

HERE = Path(__file__).parent

REFUSALS = {"FORBIDDEN", "UNAUTHENTICATED"}


class Who(NamedTuple):
    """What a caller may do by role and scopes, and where its key is of a demoted user, the role it
    had when the key was made."""

    role: Role | None = None
    scopes: tuple[str, ...] = ()
    before: Role | None = None

    def may(self, access: Access) -> bool:
        """As docs/identity.md says it."""
        if access.public:
            return True
        limited = self.scopes and not access.scopes.intersection(self.scopes)
        ranks = self.role and access.role and RANKS[self.role] >= RANKS[access.role]
        return bool(ranks and not limited)


WHO = {
    "anonymous": Who(),
    "member": Who(Role.MEMBER),
    "member by token": Who(Role.MEMBER),
    "member's key for tests": Who(Role.MEMBER, ("tests:read",)),
    "agent key": Who(Role.OPERATOR, ("agents:write",)),
    "reading key": Who(Role.OPERATOR, ("events:read", "users:read", "config:read")),
    "admin's key for dreams": Who(Role.ADMIN, ("dreams:read", "dreams:write")),
    "demoted admin": Who(Role.MEMBER, (), Role.ADMIN),
    "demoted agent": Who(Role.MEMBER, ("agents:write", "agents:read"), Role.OPERATOR),
    "operator": Who(Role.OPERATOR),
    "admin": Who(Role.ADMIN),
}


class Callers(NamedTuple):
    """The database they belong to, and by their names their credentials and who these stand for."""

    url: str
    credentials: Mapping[str, str | None]
    principals: Mapping[str, Principal]


@pytest.fixture(scope="module")
def callers(server_url: str, template_url: str) -> Iterator[Callers]:
    """Everybody, with credentials of a gateway in production."""
    url = asyncio.run(create_database(server_url, template_url))
    yield asyncio.run(_callers(url))
    asyncio.run(drop_database(server_url, url))


async def _callers(url: str) -> Callers:
    database = Database(url)
    async with serving() as issuer:
        settings = production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
        credentials: dict[str, str | None] = {}
        for name, who in WHO.items():
            credentials[name] = who.role and await _key(database, settings, who)
        credentials["member by token"] = issuer.token(email="token@example.org")
        auth = Auth(settings, database)
        held = {name: text and await auth.authenticate(text) for name, text in credentials.items()}
    await database.close()
    del credentials["member by token"]  # its issuer is gone
    return Callers(url, credentials, {name: who or ANONYMOUS for name, who in held.items()})


async def _key(database: Database, settings: Any, who: Who) -> str:
    user = await make_user(database, role=who.before or who.role)
    key = await make_key(database, settings, user_id=user.id, scopes=who.scopes)
    if who.before and who.role:
        async with database.write() as session:
            await users.assign(session, user, who.role, set())
    return key.text


@pytest.mark.parametrize(("type_name", "field_name"), list(fields()))
async def test_a_field_answers_those_it_declares(
    callers: Callers, type_name: str, field_name: str
) -> None:
    operation = prepare(schema, document(type_name, field_name))
    begin = open_stream if operation.kind == "subscription" else execute
    needed = accesses(type_name, field_name)
    unreachable = Database("postgresql:///?host=/nowhere")

    for name, who in WHO.items():
        context = Context(unreachable, callers.principals[name], "test-request")
        answer = await begin(operation, None, context)

        errors = answer.errors if isinstance(answer, OperationResult) else []  # or it is a stream
        codes = {error["extensions"]["code"] for error in errors}
        may = all(map(who.may, needed))
        assert bool(codes & REFUSALS) is not may, f"{name} asks for {type_name}.{field_name}"

    await unreachable.close()


@pytest.fixture
async def client(callers: Callers) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway in production."""
    points = {"budget_points_per_minute": 10**9, "budget_points_per_minute_anonymous": 10**9}
    database = Database(callers.url)
    transport = httpx2.ASGITransport(gateway(production(public_read=True, **points), database))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        yield client
    await database.close()


@pytest.mark.parametrize("type_name", sorted({using.type_name for _, using in usings()}))
async def test_an_input_requires_the_access_of_the_columns_it_reveals(
    callers: Callers, client: httpx2.AsyncClient, type_name: str
) -> None:
    for place, using in usings():
        if using.type_name != type_name or type_name == "Subscription":
            continue
        needed = accesses(using.type_name, using.field_name)
        text = document(*using)
        for name, credential in callers.credentials.items():
            who = WHO[name]
            headers = {"authorization": f"Bearer {credential}"} if credential else {}
            answer = await client.post("/graphql", json={"query": text}, headers=headers)
            errors = answer.json().get("errors", [])
            codes = {error["extensions"]["code"] for error in errors}
            may = all(map(who.may, (*needed, *INPUTS[place])))
            assert bool(codes & REFUSALS) is not may, f"{name} uses {place}: {answer.text}"
            if all(map(who.may, needed)) and not may:
                (error,) = errors
                assert error["message"].startswith(place), error


async def test_subscriptions_judge_their_arguments(callers: Callers) -> None:
    unreachable = Database("postgresql:///?host=/nowhere")
    for place, using in usings():
        if using.type_name == "Subscription":
            operation = prepare(schema, document(*using))
            needed = (*accesses(using.type_name, using.field_name), *INPUTS[place])
            for name, who in WHO.items():
                context = Context(unreachable, callers.principals[name], "test-request")
                answer = await open_stream(operation, None, context)
                errors = answer.errors if isinstance(answer, OperationResult) else []
                codes = {error["extensions"]["code"] for error in errors}
                may = all(map(who.may, needed))
                assert bool(codes & REFUSALS) is not may, f"{name} uses {place}"
    await unreachable.close()


def test_every_input_of_a_list_is_used() -> None:
    """Those left out need nothing: most of mutations, those of comparisons, and of pages."""
    used = {place for place, _ in usings()}
    assert {place for place in INPUTS if INPUTS[place]} <= used


def test_the_permission_matrix_matches_the_file() -> None:
    lines = [f"{type_}.{field}: {shown(declared(type_, field))}\n" for type_, field in fields()]
    used = {place: INPUTS[place] for place, _ in usings()}
    lines += [f"{place}: {shown(*needed)}\n" for place, needed in sorted(used.items())]
    file = HERE / "permissions.txt"
    if os.environ.get("WRITE_GOLDEN"):
        file.write_text("".join(lines))

    assert file.read_text() == "".join(lines)


def shown(*accesses: Access) -> str:
    return "; ".join(str(access) for access in accesses if not access.public) or "everybody"
