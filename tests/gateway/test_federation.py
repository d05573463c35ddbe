"""Federation: the API as a subgraph, composed and queried by Apollo's own tools."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from graphql import parse

from db import Database
from db.users import Role
from graph.core.types.node import global_id
from graph.schema import federated_schema, schema
from support.factories import make_agent, make_dream, make_user
from support.gateways import ask, gateway, make_key, production
from support.http_client import client_of
from support.nodejs import TESTS, installed, run
from support.query_count import statements
from support.running_gateway import serving

FOLDER = TESTS / "federation"
ENTITIES = """query ($of: [_Any!]!) { _entities(representations: $of) {
  __typename ... on Dream { title } ... on User { passportTier } } }"""
SDL = "{ _service { sdl } }"
NODES = schema._schema.get_possible_types(schema._schema.type_map["Node"])  # type: ignore[arg-type]  # an interface
WITHOUT_ROW = "Viewer"  # a node of its viewer alone, and no entity
MALFORMED = "A representation has the `__typename` of an entity, and its `id`."


class Caller:
    """A client of a subgraph, with the key of a user."""

    def __init__(self, client: httpx2.AsyncClient, user: Any) -> None:
        self.client = client
        self.user = user

    async def answer(self, query: str, **variables: Any) -> Any:
        body = {"query": query, "variables": variables}
        return (await self.client.post("/graphql", json=body)).json()


@pytest.fixture
async def member(database: Database) -> AsyncIterator[Caller]:
    settings = production(federation="on")
    user = await make_user(database, role=Role.MEMBER)
    key = await make_key(database, settings, user_id=user.id)
    async with client_of(gateway(settings, database)) as client:
        client.headers["authorization"] = f"Bearer {key.text}"
        yield Caller(client, user)


def of(node: Any, type_: str = "Dream") -> dict[str, str]:
    return {"__typename": type_, "id": global_id(node)}


async def test_entities_are_read_within_row_rules(member: Caller, database: Database) -> None:
    public = await make_dream(database, title="Public", is_public=True)
    hidden = await make_dream(database, title="Hidden", is_public=False)
    own = await make_dream(database, title="Own", is_public=False, user_id=member.user.id)
    missing = {"__typename": "Dream", "id": f"dream_{'0' * 32}"}

    wanted = [of(own), of(hidden), of(member.user, "User"), missing, of(public), of(own)]
    await member.answer(ENTITIES, of=wanted)
    with statements(database, exactly=2):  # one for each type
        found = await member.answer(ENTITIES, of=wanted)

    shown: list[Any] = [{"__typename": "Dream", "title": title} for title in ("Own", "Public")]
    user = {"__typename": "User", "passportTier": member.user.passport_tier}
    expected = [shown[0], None, user, None, shown[1], shown[0]]
    assert found == {"data": {"_entities": expected}}


async def test_malformed_representations_are_errors_at_their_positions(
    member: Caller, database: Database
) -> None:
    dream = await make_dream(database, title="Good", is_public=True)
    wrong: list[Any] = [
        {"__typename": "Planet", "id": "dream_1"},
        {"__typename": "Query"},
        {"__typename": ["Dream"], "id": global_id(dream)},
        {"__typename": "Dream"},
        {"__typename": "Dream", "id": 7},
        {"id": global_id(dream)},
        7,
        [],
        {"__typename": "User", "id": global_id(dream)},
        {"__typename": "Dream", "id": "garbage"},
    ]
    found = await member.answer(ENTITIES, of=[*wrong, of(dream)])
    assert found["data"], found
    good = {"__typename": "Dream", "title": "Good"}
    assert found["data"]["_entities"] == [None] * len(wrong) + [good]
    paths = [error["path"] for error in found["errors"]]
    assert paths == [["_entities", place] for place in range(len(wrong))]
    messages = [error["message"] for error in found["errors"]]
    assert messages[:8] == [MALFORMED] * 8
    assert {error["extensions"]["code"] for error in found["errors"]} == {"BAD_USER_INPUT"}


async def test_entities_need_the_access_of_their_types(member: Caller, database: Database) -> None:
    agent = await make_agent(database)
    shown = "query ($of: [_Any!]!) { _entities(representations: $of) { ... on Agent { key } } }"
    refused = await member.answer(shown, of=[of(agent, "Agent")])
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    untyped = "query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }"
    assert await member.answer(untyped, of=[of(agent, "Agent")]) == {"data": {"_entities": [None]}}


async def test_entities_are_bounded_and_cost_points(member: Caller, database: Database) -> None:
    dream = of(await make_dream(database, is_public=True))
    refused = await member.answer(ENTITIES, of=[dream] * 101)
    assert refused["errors"][0]["message"] == "At most 100 are allowed."
    shown = "query ($of: [_Any!]!) { _entities(representations: $of) { __typename } }"
    cost = {"x-graphql-cost": "1"}
    for count in (1, 100):
        body = {"query": shown, "variables": {"of": [dream] * count}}
        answer = (await member.client.post("/graphql", json=body, headers=cost)).json()
        assert answer["extensions"]["cost"]["requested"] >= count


async def test_the_schema_needs_the_access_of_introspection(
    member: Caller, database: Database
) -> None:
    shown = (await member.answer(SDL))["data"]["_service"]["sdl"]
    assert parse(shown)
    assert len(NODES) > 10
    for node in (node for node in NODES if node.name != WITHOUT_ROW):
        assert f'\ntype {node.name} implements Node @key(fields: "id") {{\n' in shown
    assert f"\ntype {WITHOUT_ROW} implements Node {{\n" in shown
    assert "_entities" not in shown
    open_to_all = production(federation="on", public_read=True)
    anonymous = (await ask(gateway(open_to_all, database), query=SDL)).json()
    assert anonymous["errors"][0]["extensions"]["code"] in ("UNAUTHENTICATED", "FORBIDDEN")


async def test_federation_is_off_unless_set(database: Database) -> None:
    key = await make_key(database, production())
    answer = (await ask(gateway(production(), database), key.text, SDL)).json()
    assert "Cannot query field '_service'" in answer["errors"][0]["message"]


def test_the_schema_of_a_subgraph_has_two_fields_more() -> None:
    own, subgraph = schema._schema, federated_schema()._schema
    assert subgraph.query_type
    assert own.query_type
    assert subgraph.query_type.fields.keys() - own.query_type.fields.keys() == {
        "_service",
        "_entities",
    }
    assert subgraph.type_map.keys() - own.type_map.keys() == {"_Any", "_Entity", "_Service"}


async def test_a_gateway_of_apollo_joins_two_subgraphs(
    member: Caller, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await installed(FOLDER)
    dream = await make_dream(database, title="Joined", is_public=True)
    settings = production(federation="on", drain_seconds=0, spread_seconds=0)
    file = tmp_path / "dreams.graphql"
    file.write_text((await member.answer(SDL))["data"]["_service"]["sdl"])
    monkeypatch.setenv("DREAM", global_id(dream))
    key = member.client.headers["authorization"].removeprefix("Bearer ")
    monkeypatch.setenv("DREAMNET_KEY", key)
    async with serving(settings, database) as served:
        out = await run("node", "drive.mjs", served.address, str(file), folder=FOLDER)
    assert orjson.loads(out.splitlines()[-1])["data"] == {
        "dreams": {
            "nodes": [{"title": "Joined", "reviews": [{"text": "Bold."}]}],
            "pageInfo": {"hasNextPage": False},
        },
        "reviews": [{"text": "Bold.", "dream": {"id": global_id(dream), "title": "Joined"}}],
        "reviewsOfNothing": {"text": "Gone.", "dream": None},
    }
