"""Users make keys to do more than they may do themselves."""

from typing import Any

import pytest

from db import users
from db.scopes import SCOPES, WHOLE
from db.users import RANKS, Role, lowest
from graph.core.types.node import global_id
from support.attack_target import Target
from support.factories import make_dream, make_user
from support.oidc_issuer import Issuer
from support.payloads import outcome_of

CREATE = """mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) {
    secret apiKey { id }
    errors { code message }
  }
}"""
RECORD = """mutation ($dream: ID!) {
  recordAiTest(input: {dreamId: $dream, provider: "p", model: "m", impossibilityScore: 1}) {
    errors { code }
  }
}"""
SET_FLAG = """mutation {
  setFeatureFlag(input: {key: "pwn", enabled: true}) { errors { code } }
}"""


async def created(target: Target, credential: str, *scopes: str, **input: Any) -> Any:
    """The answer to a key made with a credential."""
    input = {"service": "attack", "scopes": scopes, **input}
    return outcome_of((await target.ask(CREATE, credential, input=input))["createApiKey"])


@pytest.mark.parametrize("role", ["MEMBER", "OPERATOR", "ADMIN"])
@pytest.mark.parametrize("public", [True, False])
async def test_a_key_records_tests_where_its_user_does(
    target: Target, role: str, public: bool
) -> None:
    """Except on private dreams of others, which a key sees only with `dreams:read`."""
    dream = global_id(await make_dream(target.database, is_public=public))
    own = await target.key_of(role)
    limited = (await created(target, own, "tests:write"))["secret"]
    seeing = (await created(target, own, "tests:write", "dreams:read"))["secret"]

    answers = [
        (await target.ask(RECORD, credential, dream=dream))["recordAiTest"]["errors"]
        for credential in (own, seeing, limited)
    ]

    assert answers[0] == answers[1]
    assert answers[2] == (answers[0] if public else [{"code": "NOT_FOUND"}])
    assert (answers[0] == []) == (role == "ADMIN")


async def test_a_key_of_a_demoted_user_does_no_more_than_the_user(target: Target) -> None:
    user = await make_user(target.database, role="OPERATOR")
    scopes = [name for name in SCOPES if name != WHOLE]
    keys = [await target.key(user_id=user.id, scopes=each) for each in (scopes, [WHOLE], [])]
    assert (await target.ask(SET_FLAG, keys[0]))["setFeatureFlag"] == {"errors": []}

    async with target.database.write() as session:
        await users.assign(session, user, Role.MEMBER, set())
    target.forget()

    reads = ("{ configs { totalCount } }", "{ events { totalCount } }", "{ users { totalCount } }")
    for document in (SET_FLAG, *reads):
        for key in keys:
            assert (await target.refusal(document, key))[1] == "FORBIDDEN"


@pytest.mark.parametrize("role", list(Role))
async def test_every_role_makes_keys_limited_to_what_it_may(target: Target, role: Role) -> None:
    own = await target.key_of(role)
    for name, scope in SCOPES.items():
        answer = await created(target, own, name)
        of_use = RANKS[role] >= RANKS[scope.role]
        assert answer.get("code") == (None if of_use else "FORBIDDEN"), name


async def test_a_limited_key_makes_no_keys(target: Target) -> None:
    limited = await target.key_of("ADMIN", "tests:write", "users:write")
    input = {"service": "attack", "scopes": ["tests:write"]}
    message, code = await target.refusal(CREATE, limited, input=input)
    assert (message, code) == ("Mutation.createApiKey requires a key without scopes.", "FORBIDDEN")


@pytest.mark.parametrize("role", ["OPERATOR", "ADMIN"])
async def test_a_key_for_agents_does_not_read_private_dreams(target: Target, role: str) -> None:
    await make_dream(target.database, is_public=False, title="diary")
    agent = await target.key_of(role, "agents:write")
    reader = await target.key_of(role, "dreams:read")

    answers = [await target.ask("{ dreams { totalCount } }", key) for key in (agent, reader)]

    assert [answer["dreams"]["totalCount"] for answer in answers] == [0, 1]


@pytest.mark.parametrize("claimed_role", list(Role))
@pytest.mark.parametrize("role", list(Role))
async def test_a_key_never_has_a_higher_role_than_the_token_it_is_made_with(
    claimed: Target, issuer: Issuer, claimed_role: Role, role: Role
) -> None:
    user = await make_user(claimed.database, role=role)
    token = issuer.token(email=user.email, roles=[claimed_role])
    key = (await created(claimed, token))["secret"]

    viewer = (await claimed.ask("{ viewer { role } }", key))["viewer"]

    assert viewer == {"role": lowest(role, claimed_role)}
    async with claimed.database.write() as session:
        await users.assign(session, user, Role.ADMIN, set())
    claimed.forget()
    assert (await claimed.ask("{ viewer { role } }", key))["viewer"] == {"role": claimed_role}


async def test_a_key_that_is_replaced_keeps_its_highest_role(
    claimed: Target, issuer: Issuer
) -> None:
    user = await make_user(claimed.database, role="ADMIN")
    weak, strong = (issuer.token(email=user.email, roles=[r]) for r in ("MEMBER", "ADMIN"))
    rotate = """mutation ($id: ID!) {
        rotateApiKey(input: {id: $id}) { secret apiKey { maxRole } }
    }"""
    for maker, replacer in ((weak, strong), (strong, weak)):
        made = await created(claimed, maker)
        answer = await claimed.ask(rotate, replacer, id=made["apiKey"]["id"])
        assert answer["rotateApiKey"]["apiKey"] == {"maxRole": "MEMBER"}
        key = answer["rotateApiKey"]["secret"]
        assert (await claimed.ask("{ viewer { role } }", key))["viewer"] == {"role": "MEMBER"}


async def test_an_administrator_gives_no_scopes_that_are_of_no_use(target: Target) -> None:
    admin = await target.key_of("ADMIN")
    id = global_id(await make_user(target.database))

    answer = await created(target, admin, "agents:write", userId=id)

    assert answer == {
        "code": "INVALID",
        "message": "The scope agents:write requires the role OPERATOR; this key would act as "
        "MEMBER.",
    }
