"""The subscription to alerts in production, with keys: who gets what, and what a client missed."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import func, update

from db import Database
from db.alerts import AlertRule, evaluation
from db.users import Role
from support.factories import make_ai_test, make_user
from support.gateways import make_key, production
from support.graphql_client import Endpoint
from support.websocket_client import Client, greeted, serving

FOLLOW = """subscription ($after: String) { alerts(after: $after) {
  kind cursor alerts { id title acknowledgedAt user { id } } } }"""


@pytest.fixture
async def address(database_url: str) -> AsyncIterator[str]:
    async with serving(production(), Database(database_url)) as address:
        yield address


async def key_of(database: Database, user: Any) -> dict[str, str]:
    key = await make_key(database, production(), user_id=user.id)
    return {"authorization": f"Bearer {key.text}"}


async def spend(database: Database, user: Any) -> None:
    """Spend more than the budget, and let the rules be evaluated."""
    await make_ai_test(database, user_id=user.id, created_at=await database.now(), cost=51)
    async with database.write() as session:
        await session.execute(update(AlertRule).values(next_evaluation_at=func.now()))
    await evaluation.run_due(database)


async def follow(client: Client, after: str | None = None) -> None:
    await client.ask("a", FOLLOW, variables={"after": after})


async def heard(client: Client, kind: str) -> Any:
    """The next message of that kind that is no heartbeat."""
    while True:
        message = await client.hear()
        assert message["type"] == "next", message
        data = message["payload"]["data"]["alerts"]
        if data["kind"] != "HEARTBEAT":
            assert data["kind"] == kind, data
            return data


async def test_alerts_are_sent_to_those_who_may_see_them(database: Database, address: str) -> None:
    one, other = await make_user(database), await make_user(database)
    operator = await make_user(database, role=Role.OPERATOR)
    keys = [await key_of(database, user) for user in (one, other, operator)]
    async with (
        greeted(address, **keys[0]) as of_one,
        greeted(address, **keys[1]) as of_other,
        greeted(address, **keys[2]) as of_operator,
    ):
        for client in (of_one, of_other, of_operator):
            await follow(client)
            assert (await heard(client, "SNAPSHOT"))["alerts"] == []
        await spend(database, one)
        [alert] = (await heard(of_one, "UPDATE"))["alerts"]
        assert alert["title"] == "Monthly budget of a user: 51 > 50"
        [seen] = (await heard(of_operator, "UPDATE"))["alerts"]
        assert seen["id"] == alert["id"]
        await spend(database, other)
        [own] = (await heard(of_other, "UPDATE"))["alerts"]  # nothing of the first alert before
        assert own["id"] != alert["id"]
        [second] = (await heard(of_operator, "UPDATE"))["alerts"]
        assert second["id"] == own["id"]


async def test_a_client_gets_what_it_missed(
    database: Database, address: str, endpoint: Endpoint
) -> None:
    user = await make_user(database)
    key = await key_of(database, user)
    async with greeted(address, **key) as client:
        await follow(client)
        cursor = (await heard(client, "SNAPSHOT"))["cursor"]
    await spend(database, user)
    async with greeted(address, **key) as client:
        await follow(client, cursor)
        missed = await heard(client, "UPDATE")
    [alert] = missed["alerts"]
    done = await endpoint.mutate("acknowledgeAlert", {"id": alert["id"]}, "alert { id }")
    assert done == {"id": alert["id"]}
    async with greeted(address, **key) as client:
        await follow(client, missed["cursor"])
        [acknowledged] = (await heard(client, "UPDATE"))["alerts"]
    assert acknowledged["id"] == alert["id"]
    assert acknowledged["acknowledgedAt"] is not None
