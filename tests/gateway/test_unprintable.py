"""A value that no response can hold is a masked error, on every way out."""

from typing import Any

import pytest
from sqlalchemy import text

from db import Database
from support.gateways import make_key, production
from support.graphql_client import Endpoint
from support.running_gateway import serving
from support.websocket_client import greeted

QUERY = '{ config(key: "deep") { value } }'
CHANGES = "subscription { configChanges { entries { value } } }"
MASKED = "Something went wrong on our side. Quote the request id when you report it."


@pytest.fixture
async def deep(database: Database) -> None:
    """A setting, stored by somebody else, that is nested more deeply than can be encoded."""
    async with database.write() as session:
        await session.execute(
            text(
                "insert into system_config (id, key, value)"
                " values (gen_random_uuid(), 'deep', cast(:value as jsonb))"
            ).bindparams(value="[" * 300 + "]" * 300)
        )


def is_masked(errors: Any) -> bool:
    [error] = errors
    assert error["extensions"]["requestId"]
    return (error["message"], error["extensions"]["code"]) == (MASKED, "INTERNAL_SERVER_ERROR")


@pytest.mark.usefixtures("deep")
async def test_in_a_response(endpoint: Endpoint) -> None:
    for accept in ("application/json", "application/graphql-response+json"):
        response = await endpoint.client.post(
            "/graphql", json={"query": QUERY}, headers={"accept": accept}
        )
        answer = response.json()
        assert (response.status_code, answer.pop("data")) == (200, None)
        assert is_masked(answer["errors"])
    for query in (QUERY, CHANGES):
        for accept in ("text/event-stream", "multipart/mixed"):
            response = await endpoint.client.post(
                "/graphql", json={"query": query}, headers={"accept": accept}
            )
            assert response.status_code == 200
            assert MASKED in response.text


@pytest.mark.usefixtures("deep")
async def test_over_a_websocket(database: Database) -> None:
    settings = production()
    key = await make_key(database, settings, scopes=["config:read"])
    async with (
        serving(settings, database) as served,
        greeted(served.address, authorization=f"Bearer {key.text}") as client,
    ):
        answer = await client.answer("1", QUERY)
        assert answer["data"] is None
        assert is_masked(answer["errors"])
        assert is_masked(await client.refusal("2", CHANGES))
        assert await client.is_alive()
