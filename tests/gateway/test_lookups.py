"""Objects that are found by what people know of them: provider and name, address, key."""

from typing import Any

import pytest

from db import Database
from db.users import Role
from gateway.settings import Settings
from graph.core.types.node import global_id
from support.factories import make_ai_model, make_user
from support.gateways import ask, gateway, make_key, production

MODEL = "query { aiModel(%s) { provider name } }"
USER = "query { user(%s) { email } }"


@pytest.fixture
def settings() -> Settings:
    return production()


async def asked(database: Database, settings: Settings, role: Role, query: str) -> dict[str, Any]:
    user = await make_user(database, role=role)
    key = await make_key(database, settings, user_id=user.id)
    answer: dict[str, Any] = (await ask(gateway(settings, database), key.text, query)).json()
    return answer


async def test_a_model_by_provider_and_name(database: Database, settings: Settings) -> None:
    model = await make_ai_model(database, provider="openai", name="gpt-4")
    await make_ai_model(database, provider="other", name="gpt-4")
    found = {"aiModel": {"provider": "openai", "name": "gpt-4"}}
    for arguments, expected in (
        ('provider: "openai", name: "gpt-4"', found),
        (f'id: "{global_id(model)}"', found),
        (f'id: "{global_id(model)}", name: null', found),
        ('provider: "openai", name: ""', {"aiModel": None}),
    ):
        answer = await asked(database, settings, Role.MEMBER, MODEL % arguments)
        assert answer == {"data": expected}, arguments


async def test_a_user_by_address(database: Database, settings: Settings) -> None:
    user = await make_user(database, email="ada@example.org")
    found = {"data": {"user": {"email": "ada@example.org"}}}
    for arguments in ('email: " Ada@Example.org"', f'id: "{global_id(user)}"'):
        assert await asked(database, settings, Role.OPERATOR, USER % arguments) == found
    unknown = 'email: "bob@example.org"'
    assert await asked(database, settings, Role.OPERATOR, USER % unknown) == {
        "data": {"user": None}
    }
    refused = await asked(database, settings, Role.MEMBER, USER % unknown)
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (MODEL % 'name: "gpt-4"', "Give either `id`, or `provider` and `name`."),
        (MODEL % "id: null", "Give either `id`, or `provider` and `name`."),
        (MODEL % 'id: "ai_model_1", name: "a", provider: "b"', "Give either"),
        (USER % 'id: "user_1", email: "ada@example.org"', "Give either `id`, or `email`."),
        (USER % 'email: "nobody"', "write it like name@example.org"),
    ],
)
async def test_one_way_of_finding_is_given(
    database: Database, settings: Settings, query: str, message: str
) -> None:
    answer = await asked(database, settings, Role.ADMIN, query)
    assert message in answer["errors"][0]["message"]
    assert answer["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"


async def test_a_feature_flag_by_key(database: Database, settings: Settings) -> None:
    made = """mutation { setFeatureFlag(input: {key: "new", enabled: true}) {
      featureFlag { key } errors { message } } }"""
    assert "errors" not in await asked(database, settings, Role.ADMIN, made)
    for key, expected in (("new", {"key": "new"}), ("old", None)):
        query = f'query {{ featureFlag(key: "{key}") {{ key }} }}'
        answer = await asked(database, settings, Role.ADMIN, query)
        assert answer == {"data": {"featureFlag": expected}}
