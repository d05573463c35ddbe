"""Timeline: the stages of a dream, with who began them and when."""

from typing import Any

from db import Database
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import ask, gateway, make_key, production, signed_in

TIMELINE = """query ($id: ID!) {
  dream(id: $id) {
    timeline { totalCount nodes { stage operation actor { email } } pageInfo { hasNextPage } }
  }
}"""
STAGES = 'dream(id: "%s") { timeline(first: 2) { nodes { stage at } } }'


def change(verb: str, id: str) -> str:
    return f'mutation {{ {verb}(input: {{id: "{id}"}}) {{ errors {{ message }} }} }}'


async def test_stages_of_a_dream_for_everybody_who_sees_it(database: Database) -> None:
    settings = production(public_read=True)
    ada, bob = [await make_user(database) for _ in range(2)]
    keys = [await make_key(database, settings, user_id=user.id) for user in (ada, bob)]
    app = gateway(settings, database)
    async with signed_in(app, keys[0].text) as send:
        made = 'mutation { createDream(input: {title: "Fly", status: DRAFT}) { dream { id } } }'
        id = (await send(made))["createDream"]["dream"]["id"]
        await send(change("reviveDream", id))
        edit = 'mutation ($id: ID!) { editDream(input: {id: $id, title: "Soar"}) { dream { id } } }'
        await send(edit, id=id)  # no stage
        hidden = await ask(gateway(settings, database), keys[1].text, "{ %s }" % (STAGES % id))
        await send(change("publishDream", id))
        test = {"dreamId": id, "provider": "a", "model": "m", "impossibilityScore": 0}
        record = "mutation ($input: RecordAiTestInput!) { recordAiTest(input: $input) { %s } }"
        await send(record % "errors { message }", input=test)
        await send(change("archiveDream", id))
        own = (await send(TIMELINE, id=id))["dream"]["timeline"]
    async with signed_in(gateway(settings, database), keys[1].text) as send:
        others = (await send(TIMELINE, id=id))["dream"]["timeline"]
    anonymous = (await ask(gateway(settings, database), None, "{ %s }" % (STAGES % id))).json()
    actors = f'{{ dream(id: "{id}") {{ timeline {{ nodes {{ actor {{ id }} }} }} }} }}'
    refused = (await ask(gateway(settings, database), None, actors)).json()

    expected = [
        ("ARCHIVED", "archiveDream"),
        ("ACHIEVED", "recordAiTest"),
        ("EMERGING", "publishDream"),
        ("ACTIVE", "reviveDream"),
        ("COCOON", "createDream"),
    ]
    assert [(node["stage"], node["operation"]) for node in own["nodes"]] == expected
    assert {node["actor"]["email"] for node in own["nodes"]} == {ada.email}
    assert own["totalCount"] == 5
    seen_by_others = [node | {"actor": {"email": None}} for node in own["nodes"]]
    assert others == own | {"nodes": seen_by_others}
    assert hidden.json() == {"data": {"dream": None}}
    stages = anonymous["data"]["dream"]["timeline"]["nodes"]
    assert [node["stage"] for node in stages] == ["ARCHIVED", "ACHIEVED"]
    assert refused["errors"][0]["extensions"]["code"] in ("FORBIDDEN", "UNAUTHENTICATED")


async def test_a_dream_without_changes_has_no_stages(endpoint: Any, database: Database) -> None:
    dream = await make_dream(database)  # as an import leaves it
    answer = await endpoint.data(TIMELINE, {"id": global_id(dream)})

    assert answer["dream"]["timeline"]["nodes"] == []
