"""An address or a wallet of another user gives rights of that user, or tells that there is one."""

import asyncio
from typing import Any

import pytest

from db import Database, identity, users
from db.users import Role, User, UserIdentity
from gateway.auth.pepper import api_key_codec
from graph.core.types.node import global_id
from support.attack_target import Target, attacked
from support.factories import make_dream, make_user
from support.oidc_issuer import AUDIENCE, Issuer
from support.query_count import statements

ADDRESS = "ada@example.org"
WALLET = "0x" + "ad" * 20
WHO = "{ viewer { role user { id email } } dreams { totalCount } }"
EDIT = """mutation ($id: ID!, $wallet: String) {
  editUser(input: {id: $id, walletAddress: $wallet}) {
    user { walletAddress } errors { message }
  }
}"""
CREATE = """mutation ($input: CreateUserInput!) {
  createUser(input: $input) { errors { code message } }
}"""


@pytest.fixture
async def trusting(database: Database, issuer: Issuer) -> Any:
    """A gateway that accepts the tokens of the issuer."""
    trusted = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE}
    async with attacked(database, **trusted) as target:
        yield target


async def stored(database: Database, table: Any) -> list[Any]:
    async with database.read() as session:
        return await session.records(table, table.select().order_by(table.id))


async def test_the_next_holder_of_an_address_inherits_nothing(
    trusting: Target, issuer: Issuer
) -> None:
    database = trusting.database
    first, next_ = issuer.token(sub="first"), issuer.token(sub="next", email=" ADA@Example.org")
    before = (await trusting.ask(WHO, first))["viewer"]["user"]
    [user] = await stored(database, User)
    await make_dream(database, user_id=user.id, is_public=False)
    async with database.write() as session:
        await users.assign(session, user, Role.ADMIN, set())
    trusting.forget()

    inherited = await trusting.ask(WHO, next_)
    assert inherited["viewer"]["role"] == "MEMBER"
    assert inherited["viewer"]["user"]["email"] == ADDRESS
    assert inherited["viewer"]["user"]["id"] != before["id"]
    assert inherited["dreams"] == {"totalCount": 0}
    for token, id in ((first, before["id"]), (next_, inherited["viewer"]["user"]["id"])):
        trusting.forget()
        assert (await trusting.ask(WHO, token))["viewer"]["user"]["id"] == id
    assert len(await stored(database, User)) == 2


async def test_a_user_keeps_everything_under_another_address(
    trusting: Target, issuer: Issuer
) -> None:
    before = await trusting.ask(WHO, issuer.token())
    for changed in ({"email": "new@example.org"}, {"email": None}, {"email_verified": False}):
        assert await trusting.ask(WHO, issuer.token(**changed)) == before


async def test_a_user_made_beforehand_is_linked_once_by_a_verified_address(
    trusting: Target, issuer: Issuer
) -> None:
    operator = await trusting.key_of("OPERATOR")
    made = await trusting.ask(CREATE, operator, input={"email": "Ada@Example.org"})
    assert made["createUser"] == {"errors": []}
    user = (await stored(trusting.database, User))[-1]

    for claims in ({"email_verified": False}, {"email_verified": None}):
        assert (await trusting.post(WHO, issuer.token(sub="thief", **claims))).status_code == 401
    trusting.forget()
    tokens = [issuer.token(sub=f"subject {number}") for number in range(3)]
    answers = await asyncio.gather(*(trusting.ask(WHO, token) for token in tokens))

    ids = [answer["viewer"]["user"]["id"] for answer in answers]
    assert len(set(ids)) == 3
    assert global_id(user) in ids
    links = await stored(trusting.database, UserIdentity)
    assert sorted(link.subject for link in links) == [f"subject {number}" for number in range(3)]


async def test_simultaneous_first_sign_ins_make_one_user(trusting: Target, issuer: Issuer) -> None:
    addresses = [f"ada{number}@example.org" for number in range(3)] * 2
    tokens = [issuer.token(email=address) for address in addresses]
    answers = await asyncio.gather(*(trusting.ask(WHO, token) for token in tokens))
    assert answers == [answers[0]] * len(tokens)
    assert len(await stored(trusting.database, User)) == 1


async def test_subjects_of_another_issuer_are_other_people(
    trusting: Target, issuer: Issuer
) -> None:
    before = (await trusting.ask(WHO, issuer.token()))["viewer"]["user"]["id"]
    other = f"{issuer.url}/other"
    more = {"oidc_audience": AUDIENCE, "oidc_jwks_url": f"{issuer.url}/keys"}
    async with attacked(trusting.database, oidc_issuer=other, **more) as target:
        after = (await target.ask(WHO, issuer.token(iss=other)))["viewer"]["user"]["id"]
    assert after != before


async def test_a_disabled_user_made_beforehand_is_not_replaced(
    trusting: Target, issuer: Issuer
) -> None:
    user = await make_user(trusting.database, email=ADDRESS)
    async with trusting.database.write() as session:
        await users.disable(session, user, set())
    assert (await trusting.post(WHO, issuer.token())).status_code == 401
    assert len(await stored(trusting.database, User)) == 1


@pytest.mark.parametrize("address", ["admin@localhost", " Admin@LOCALHOST"])
async def test_no_token_becomes_the_first_administrator(
    trusting: Target, issuer: Issuer, address: str
) -> None:
    """Which every database has, under an address that everybody knows."""
    async with trusting.database.write() as session:
        await identity.create_first_admin(
            session, api_key_codec(trusting.settings), "admin@localhost"
        )
    assert (await trusting.post(WHO, issuer.token(email=address))).status_code == 401
    assert await stored(trusting.database, UserIdentity) == []


async def test_a_known_subject_costs_one_statement(trusting: Target, issuer: Issuer) -> None:
    await trusting.ask("{ __typename }", issuer.token())
    trusting.forget()
    with statements(trusting.database, exactly=1):
        await trusting.ask("{ __typename }", issuer.token())


async def test_a_wallet_is_a_claim_that_others_may_make_too(target: Target) -> None:
    """So that no answer tells whether somebody has it, and nobody can take it first."""
    owner, other = [await make_user(target.database) for _ in range(2)]
    claimed = {"editUser": {"user": {"walletAddress": WALLET}, "errors": []}}
    for user in (owner, other):
        key = await target.key(user_id=user.id)
        assert await target.ask(EDIT, key, id=global_id(user), wallet=WALLET) == claimed
    operator = await target.key_of("OPERATOR", "users:write")
    made = await target.ask(CREATE, operator, input={"walletAddress": WALLET.upper()})
    assert {error["code"] for error in made["createUser"]["errors"]} <= {"INVALID"}


@pytest.mark.parametrize("as_variable", [True, False])
async def test_addresses_cannot_be_probed_by_taking_them(target: Target, as_variable: bool) -> None:
    await make_user(target.database, email=ADDRESS)
    user = await make_user(target.database)
    callers = [
        await target.key_of("OPERATOR", "users:write"),
        await target.key_of("MEMBER"),
        await target.key(user_id=user.id),
    ]
    for key in callers:
        answers = []
        for address in (ADDRESS, "free@example.org"):
            if as_variable:
                input = {"email": address, "idempotencyKey": address}
                answers.append(await target.refusal(CREATE, key, input=input))
            else:
                edit = f'editUser(input: {{id: "{global_id(user)}", email: "{address}"}})'
                document = f"mutation {{ {edit} {{ errors {{ message }} }} }}"
                answers.append(await target.refusal(document, key))
        assert answers[0] == answers[1]
        assert answers[0][1] == "FORBIDDEN"
