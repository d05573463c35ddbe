"""Ids inside JSON that the gateway writes are ids of this API: any of them can be asked for."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from db import Database
from graph.core.types.node import global_id
from support.factories import (
    make_ai_test,
    make_dream,
    make_event,
    make_notification,
    make_progress_log,
    make_user,
)
from support.gateways import Send, gateway, make_key, production, signed_in
from support.websocket_client import greeted, serving

NODE = "query ($id: ID!) { node(id: $id) { __typename id } }"
EVENTS = "query { events { nodes { eventType source payload } } }"


@pytest.fixture
async def user(database: Database) -> Any:
    return await make_user(database, role="ADMIN")


@pytest.fixture
async def key(database: Database, user: Any) -> Any:
    return await make_key(database, production(), user_id=user.id)


@pytest.fixture
async def send(database: Database, key: Any) -> AsyncIterator[Send]:
    """Sends operations with a key of the user to a gateway in production with the request log."""
    app = gateway(production(request_log="on"), database)
    async with signed_in(app, key.text) as send:
        yield send


async def kind(send: Send, id: str) -> str:
    """The type of the entity with that id."""
    return str((await send(NODE, id=id))["node"]["__typename"])


async def test_ids_that_a_score_leaves_behind(send: Send, database: Database, user: Any) -> None:
    dream = await make_dream(database, user_id=user.id)
    test = {
        "dreamId": global_id(dream),
        "provider": "openai",
        "model": "m",
        "impossibilityScore": 1,
    }
    made = await send(
        """mutation ($input: RecordAiTestInput!) { answer: recordAiTest(input: $input) {
          aiTest { id dream { id latestProgress { snapshotData } } } } }""",
        input=test,
    )
    stored, log = (
        made["answer"]["aiTest"]["id"],
        made["answer"]["aiTest"]["dream"]["latestProgress"],
    )
    snapshot = {"testId": stored, "provider": "openai", "model": "m", "score": 1.0}
    assert log == {"snapshotData": snapshot}
    assert await kind(send, log["snapshotData"]["testId"]) == "AiTest"

    received = await send("{ notifications { nodes { kind payload } } }")
    (notification,) = received["notifications"]["nodes"]
    assert notification["payload"] == {"dreamId": global_id(dream), "bestScore": 1.0}
    assert await kind(send, notification["payload"]["dreamId"]) == "Dream"


async def test_rows_stored_by_earlier_versions(send: Send, database: Database, user: Any) -> None:
    dream = await make_dream(database, user_id=user.id)
    test = await make_ai_test(database, dream_id=dream.id)
    await make_notification(database, user_id=user.id, payload={"dreamId": str(dream.id)})
    await make_progress_log(database, dream_id=dream.id, snapshot_data={"testId": str(test.id)})
    answer = await send(
        "{ notifications { nodes { payload } } progressLogs { nodes { snapshotData } } }"
    )
    assert answer["notifications"]["nodes"] == [{"payload": {"dreamId": global_id(dream)}}]
    assert answer["progressLogs"]["nodes"] == [{"snapshotData": {"testId": global_id(test)}}]


async def test_events_of_the_gateway(send: Send, user: Any, key: Any, database: Database) -> None:
    await send('mutation { trackUserAction(input: {action: "clicked"}) { storedId } }')
    await make_event(
        database,
        event_type="api_request",
        source="api-server",
        payload={"key_id": str(key.record.id), "status": 200},
    )
    events = (await send(EVENTS))["events"]["nodes"]
    payloads = {event["eventType"]: event["payload"] for event in reversed(events)}
    action = {"user_id": global_id(user), "action": "clicked", "page": None, "metadata": {}}
    assert payloads["user_action"] == action
    assert payloads["api_request"] == {"key_id": global_id(key.record), "status": 200}
    assert await kind(send, payloads["user_action"]["user_id"]) == "User"
    assert await kind(send, payloads["api_request"]["key_id"]) == "ApiKey"


async def test_events_of_clients_stay_as_sent(send: Send, database: Database, user: Any) -> None:
    """Keys of another system look like ours, and are none."""
    foreign = {"user_id": "0193a1c2-0000-7000-8000-000000000001", "dreamId": str(user.id)}
    for event_type, source in (("user_action", "user-activity"), ("api_request", "proxy")):
        await make_event(
            database,
            event_type=event_type,
            source=source,
            payload=foreign | {"key_id": str(user.id)},
            timestamp=datetime.now(UTC),
        )
    events = (await send(EVENTS))["events"]["nodes"]
    assert [event["payload"] for event in events] == [foreign | {"key_id": str(user.id)}] * 2


async def test_subscribers_get_the_same_ids(database: Database, user: Any) -> None:
    """They are shown by the types, and so by every transport."""
    settings = production()
    key = await make_key(database, settings, user_id=user.id)
    dream = await make_dream(database, user_id=user.id)
    await make_notification(database, user_id=user.id, payload={"dreamId": str(dream.id)})
    query = "subscription { notifications { notifications { payload } } }"
    async with (
        serving(settings, database) as address,
        greeted(address, authorization=f"Bearer {key.text}") as client,
    ):
        await client.ask("1", query)
        message = await client.hear()
    (notification,) = message["payload"]["data"]["notifications"]["notifications"]
    assert notification == {"payload": {"dreamId": global_id(dream)}}
