"""What a viewer may do with a dream, as the dream shows it and as mutations decide."""

from typing import Any

import pytest

from db import Database
from db.users import Role
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import ask, gateway, make_key, production

DREAM = 'query {{ dream(id: "{id}") {{ viewerCanEdit viewerCanDelete viewerCanTest }} }}'
EDIT = """mutation {{ editDream(input: {{id: "{id}", title: "New"}}) {{
  dream {{ title }} errors {{ code }} }} }}"""
TEST = """mutation {{ recordAiTest(input: {{dreamId: "{id}", provider: "a", model: "b"}}) {{
  aiTest {{ model }} errors {{ code }} }} }}"""
DELETE = """mutation {{ deleteDream(input: {{id: "{id}"}}) {{
  deletedDreamId errors {{ code }} }} }}"""


@pytest.mark.parametrize(
    ("role", "scopes", "owns", "rights"),
    [
        (Role.MEMBER, [], True, (True, True)),
        (Role.MEMBER, [], False, (False, False)),
        (Role.OPERATOR, [], False, (False, False)),
        (Role.ADMIN, [], False, (True, True)),
        (Role.MEMBER, ["dreams:write"], True, (True, False)),
        (Role.MEMBER, ["tests:write"], True, (False, True)),
        (Role.ADMIN, ["dreams:write"], False, (True, False)),
        (Role.ADMIN, ["agents:read"], True, (False, False)),
        (None, [], False, (False, False)),
    ],
)
async def test_what_a_dream_shows_is_what_mutations_do(
    database: Database, role: Role | None, scopes: list[str], owns: bool, rights: tuple[bool, bool]
) -> None:
    settings, key = production(public_read=True), None
    owner = await make_user(database, role=Role.MEMBER)
    if role is not None:
        user = await make_user(database, role=role)
        key = (await make_key(database, settings, user_id=user.id, scopes=scopes)).text
        owner = user if owns else owner
    dream = await make_dream(database, user_id=owner.id, is_public=True)
    app = gateway(settings, database)

    async def done(text: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await ask(app, key, text.format(id=global_id(dream)))).json()
        return answer

    can_change, can_test = rights
    shown = (await done(DREAM))["data"]["dream"]
    assert shown == {
        "viewerCanEdit": can_change,
        "viewerCanDelete": can_change,
        "viewerCanTest": can_test,
    }
    for text, is_allowed in ((TEST, can_test), (EDIT, can_change), (DELETE, can_change)):
        answer = await done(text)
        payloads = list((answer.get("data") or {}).values())
        succeeded = bool(payloads) and payloads[0] is not None and payloads[0]["errors"] == []
        assert succeeded == is_allowed, answer
