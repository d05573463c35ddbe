"""What the gateway tells by itself: events of settings, and notifications to owners of dreams."""

from typing import Any

import pytest

from db import Database
from graph.core.types.node import global_id
from support.factories import make_dream, make_user
from support.gateways import gateway, make_key, production, signed_in
from support.graphql_client import Endpoint

EVENTS = """{
  events(filter: {source: {eq: "config-manager"}}) {
    nodes { eventType severity payload user { id } }
  }
}"""
INBOX = "{ notifications { nodes { kind title payload } } }"


async def test_settings_that_change_are_events_without_their_values(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hidden")
    config = {"key": "mail.host", "value": "mail.example.org", "category": "mail"}
    await endpoint.mutate("setConfig", config, "configEntry { id }")
    await endpoint.mutate("syncEnvironment", {"names": ["SOME_TOKEN", "UNSET"]}, "missing")
    events = (await endpoint.data(EVENTS))["events"]["nodes"]

    by = {"severity": "INFO", "user": {"id": global_id(endpoint.user)}}
    synced = {"synced_vars": 1, "stored": 0, "referenced": 1}
    updated = {"key": "mail.host", "category": "mail", "version": 1}
    assert events == [
        {"eventType": "env_sync_completed", "payload": synced, **by},
        {"eventType": "config_updated", "payload": updated, **by},
    ]


async def test_owners_are_notified_of_remixes_and_failed_tests_by_others(
    database: Database,
) -> None:
    settings, owner = production(), await make_user(database)
    admin = await make_user(database, role="ADMIN")
    dream = await make_dream(database, user_id=owner.id, title="Fly")
    keys = [await make_key(database, settings, user_id=user.id) for user in (admin, owner)]
    for key in keys:
        async with signed_in(gateway(settings, database), key.text) as send:
            await _remix(send, dream)
            failed = await _fail(send, dream)
            if key is keys[0]:
                test_id = failed
            inbox = (await send(INBOX))["notifications"]["nodes"]

    about = {"dreamId": global_id(dream)}
    assert inbox == [  # of the owner, about the administrator alone
        {
            "kind": "TEST_FAILED",
            "title": "A test of “Fly” failed",
            "payload": about | {"testId": test_id},
        },
        {"kind": "DREAM_REMIXED", "title": "“Fly” was remixed", "payload": about},
    ]


async def _remix(send: Any, dream: Any) -> None:
    remix = "mutation ($id: ID!) { remixDream(input: {id: $id}) { errors { message } } }"
    assert (await send(remix, id=global_id(dream)))["remixDream"]["errors"] == []


async def _fail(send: Any, dream: Any) -> str:
    start = """mutation ($id: ID!) {
      startAiTest(input: {dreamId: $id, provider: "a", model: "m"}) { aiTest { id } }
    }"""
    test_id: str = (await send(start, id=global_id(dream)))["startAiTest"]["aiTest"]["id"]
    fail = "mutation ($id: ID!) { failAiTest(input: {id: $id}) { errors { message } } }"
    assert (await send(fail, id=test_id))["failAiTest"]["errors"] == []
    return test_id
