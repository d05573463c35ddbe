"""`nodes(ids:)` answers position by position."""

from collections.abc import AsyncIterator

import pytest

from db import Database
from db.users import Role
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.graphql_client import Endpoint, endpoint as serving_endpoint

NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { id } }"


@pytest.fixture
async def member(database: Database) -> AsyncIterator[Endpoint]:
    """A gateway in production, asked with the API key of a member."""
    async with serving_endpoint(database, Role.MEMBER) as endpoint:
        yield endpoint


async def test_invalid_ids_are_null_at_their_position(
    endpoint: Endpoint, database: Database
) -> None:
    good = global_id(await make_dream(database, is_public=True))
    ids = ["garbage", good, f"dream_{'0' * 32}", f"planet_{'0' * 32}", "", good, "dream_\0"]

    answer = await endpoint.answer(NODES, {"ids": ids})

    shown = [None, {"id": good}, None, None, None, {"id": good}, None]
    assert answer["data"] == {"nodes": shown}
    assert [error["path"] for error in answer["errors"]] == [["nodes", n] for n in (0, 3, 4, 6)]
    for error in answer["errors"]:
        assert error["message"] == "This is not an ID of this API."
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert error["locations"] == [{"line": 1, "column": 24}]


async def test_ids_of_hidden_rows_are_null_without_an_error(
    member: Endpoint, database: Database
) -> None:
    private = global_id(await make_dream(database, is_public=False))
    public = global_id(await make_dream(database, is_public=True))
    ids = [private, public, f"config_entry_{'0' * 32}", f"agent_{'0' * 32}", global_id(member.user)]

    answer = await member.answer(NODES, {"ids": ids})

    assert answer == {
        "data": {"nodes": [None, {"id": public}, None, None, {"id": global_id(member.user)}]}
    }


async def test_more_ids_than_allowed_are_refused_as_a_whole(
    endpoint: Endpoint, database: Database
) -> None:
    good = global_id(await make_dream(database, is_public=True))
    assert len((await endpoint.data(NODES, {"ids": [good] * 100}))["nodes"]) == 100
    assert await endpoint.data(NODES, {"ids": []}) == {"nodes": []}

    answer = await endpoint.answer(NODES, {"ids": [good] * 101})

    assert answer["data"] is None
    [error] = answer["errors"]
    assert error["message"] == "At most 100 are allowed."
    assert error["path"] == ["nodes"]


async def test_the_viewer_is_a_node_for_itself_alone(member: Endpoint, database: Database) -> None:
    viewer = (await member.data("{ viewer { id role user { id } } }"))["viewer"]
    other = await make_user(database)
    ids = [viewer["id"], f"viewer_{other.id.hex}", f"viewer_{'0' * 32}"]
    document = """query ($id: ID!, $ids: [ID!]!) {
      node(id: $id) { __typename id ... on Viewer { role user { id } } }
      nodes(ids: $ids) { id }
    }"""

    found = await member.data(document, {"id": viewer["id"], "ids": ids})

    assert viewer == {
        "id": f"viewer_{member.user.id.hex}",
        "role": "MEMBER",
        "user": {"id": global_id(member.user)},
    }
    assert found == {
        "node": {"__typename": "Viewer", **viewer},
        "nodes": [{"id": viewer["id"]}, None, None],
    }
