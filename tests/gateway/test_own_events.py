"""What the gateway tells by itself: events of settings, and notifications to owners of dreams."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from db import Database
from db.api_keys import expiry
from graph.core.types.node import global_id
from support.factories import make_api_key, make_dream, make_user
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
    await endpoint.mutate("setFeatureFlag", {"key": "dark", "enabled": True}, "featureFlag { id }")
    await endpoint.mutate("deleteFeatureFlag", {"key": "dark"}, "deletedFeatureFlagId")
    await endpoint.mutate("deleteConfig", {"key": "mail.host"}, "deletedConfigId")
    events = (await endpoint.data(EVENTS))["events"]["nodes"]

    by = {"severity": "INFO", "user": {"id": global_id(endpoint.user)}}
    synced = {"synced_vars": 1, "stored": 0, "referenced": 1}
    updated = {"key": "mail.host", "category": "mail", "version": 1}
    deleted = {"key": "mail.host", "category": "mail", "deleted": True}
    assert events == [
        {"eventType": "config_updated", "payload": deleted, **by},
        {
            "eventType": "config_updated",
            "payload": {"feature_flag": "dark", "deleted": True},
            **by,
        },
        {"eventType": "config_updated", "payload": {"feature_flag": "dark"}, **by},
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


async def test_requesters_and_owners_are_notified_of_recorded_failures_once_a_batch(
    database: Database,
) -> None:
    settings, owner = production(), await make_user(database)
    admin, other = [await make_user(database, role="ADMIN") for _ in range(2)]
    dream = await make_dream(database, user_id=owner.id, title="Fly")
    keys = [await make_key(database, settings, user_id=user.id) for user in (admin, other, owner)]
    asking, ending, reading = [key.text for key in keys]
    test = {"dreamId": global_id(dream), "provider": "a", "model": "m", "status": "FAILED"}
    record = """mutation ($one: RecordAiTestInput!, $many: [RecordAiTestInput!]!) {
      one: recordAiTest(input: $one) { aiTest { id } }
      many: recordAiTests(input: {tests: $many}) { aiTests { id } }
    }"""
    start = """mutation ($id: ID!) {
      startAiTest(input: {dreamId: $id, provider: "a", model: "m"}) { aiTest { id } }
    }"""
    fail = "mutation ($id: ID!) { failAiTest(input: {id: $id}) { errors { message } } }"
    async with signed_in(gateway(settings, database), asking) as send:
        recorded = await send(record, one=test, many=[test, test | {"status": "COMPLETED"}, test])
        started = (await send(start, id=global_id(dream)))["startAiTest"]["aiTest"]["id"]
    async with signed_in(gateway(settings, database), ending) as send:
        await send(fail, id=started)
    inboxes = []
    for key in (asking, reading):
        async with signed_in(gateway(settings, database), key) as send:
            inboxes.append((await send(INBOX))["notifications"]["nodes"])

    about = {"dreamId": global_id(dream)}
    ended = {
        "kind": "TEST_FAILED",
        "title": "A test of “Fly” failed",
        "payload": about | {"testId": started},
    }
    first = recorded["many"]["aiTests"][0]["id"]
    assert inboxes[0] == [ended]  # of who asked for it, about what another user did
    assert inboxes[1] == [
        ended,
        {
            "kind": "TEST_FAILED",
            "title": "2 tests of “Fly” failed",
            "payload": about | {"testId": first, "count": 2},
        },
        ended | {"payload": about | {"testId": recorded["one"]["aiTest"]["id"]}},
    ]


async def test_users_are_notified_once_of_keys_that_expire_soon(database: Database) -> None:
    settings, user = production(), await make_user(database)
    now, week = await database.now(), timedelta(days=7)
    ages = {"old": 30, "young": 1, "later": 30, "revoked": 30, "expired": 30}
    ends = {"later": 8, "expired": -1}
    for service, age in ages.items():
        at = {"created_at": now - timedelta(days=age)}
        at["expires_at"] = now + timedelta(days=ends.get(service, 2))
        revoked = {"revoked_at": now} if service == "revoked" else {}
        await make_api_key(database, user_id=user.id, service=service, **at, **revoked)
    counts = await asyncio.gather(*(expiry.notify(database, week) for _ in range(3)))
    again = await expiry.notify(database, week)

    reading = (await make_key(database, settings, user_id=user.id)).text
    async with signed_in(gateway(settings, database), reading) as send:
        [notice] = (await send(INBOX))["notifications"]["nodes"]
    assert (sum(counts), again) == (1, 0)
    assert notice["kind"] == "KEY_EXPIRES"
    assert notice["title"] == f"Your key “old” expires on {now + timedelta(days=2):%Y-%m-%d}"
    assert set(notice["payload"]) == {"keyPrefix", "expiresAt"}


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
