"""Users make keys, and try to do with them what they may not do themselves."""

from typing import Any

import pytest
from target import Target

from db import users
from db.scopes import SCOPES, WHOLE
from db.users import RANKS, Role
from factories import make_dream, make_user
from graph.core.node import global_id

CREATE = """mutation ($input: CreateApiKeyInput!) {
  createApiKey(input: $input) {
    __typename
    ... on ApiKeyCreated { secret }
    ... on Error { message }
  }
}"""
RECORD = """mutation ($dream: ID!) {
  recordAiTest(input: {dreamId: $dream, provider: "p", model: "m", impossibilityScore: 1}) {
    __typename
  }
}"""
SET_FLAG = """mutation {
  setFeatureFlag(input: {key: "pwn", enabled: true}) { __typename }
}"""


async def created(target: Target, credential: str, *scopes: str, **input: Any) -> Any:
    """The answer to a key made with a credential."""
    input = {"service": "attack", "scopes": scopes, **input}
    return (await target.ask(CREATE, credential, input=input))["createApiKey"]


@pytest.mark.parametrize("role", ["MEMBER", "OPERATOR", "ADMIN"])
@pytest.mark.parametrize("public", [True, False])
async def test_a_key_records_tests_where_its_user_does(
    target: Target, role: str, public: bool
) -> None:
    """But for private dreams of others, which a key sees only with `dreams:read`."""
    dream = global_id(await make_dream(target.database, is_public=public))
    own = await target.key_of(role)
    limited = (await created(target, own, "tests:write"))["secret"]
    seeing = (await created(target, own, "tests:write", "dreams:read"))["secret"]

    answers = [
        (await target.ask(RECORD, credential, dream=dream))["recordAiTest"]["__typename"]
        for credential in (own, seeing, limited)
    ]

    assert answers[0] == answers[1]
    assert answers[2] == (answers[0] if public else "NotFound")
    assert (answers[0] == "AiTest") == (role == "ADMIN")


async def test_a_key_of_a_demoted_user_does_no_more_than_the_user(target: Target) -> None:
    user = await make_user(target.database, role="OPERATOR")
    scopes = [name for name in SCOPES if name != WHOLE]
    keys = [await target.key(user_id=user.id, scopes=each) for each in (scopes, [WHOLE], [])]
    assert (await target.ask(SET_FLAG, keys[0]))["setFeatureFlag"]["__typename"] == "FeatureFlag"

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
        assert answer["__typename"] == ("ApiKeyCreated" if of_use else "Forbidden"), name


async def test_a_limited_key_makes_no_keys(target: Target) -> None:
    limited = await target.key_of("ADMIN", "tests:write", "users:write")
    input = {"service": "attack", "scopes": ["tests:write"]}
    message, code = await target.refusal(CREATE, limited, input=input)
    assert (message, code) == ("Mutation.createApiKey is not for keys with scopes.", "FORBIDDEN")


@pytest.mark.parametrize("role", ["OPERATOR", "ADMIN"])
async def test_a_key_for_agents_does_not_read_private_dreams(target: Target, role: str) -> None:
    await make_dream(target.database, is_public=False, title="diary")
    agent = await target.key_of(role, "agents:write")
    reader = await target.key_of(role, "dreams:read")

    answers = [await target.ask("{ dreams { totalCount } }", key) for key in (agent, reader)]

    assert [answer["dreams"]["totalCount"] for answer in answers] == [0, 1]
