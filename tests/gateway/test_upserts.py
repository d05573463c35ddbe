"""Upserts by many callers at once: all succeed one after another, and every version is audited."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from db import Database
from db.audit import AuditEntry, Change
from db.config import ConfigEntry, FeatureFlag
from db.users import User
from support.factories import make_user
from support.feeds import number_changes
from support.gateways import Send, gateway, make_key, production, signed_in
from support.oidc_issuer import AUDIENCE, Issuer
from support.payloads import outcome_of

CALLERS = 40


@pytest.fixture
async def send(database_url: str, database: Database) -> AsyncIterator[Send]:
    """Sends operations with a key of an operator to a gateway in production, which has a connection
    for each of them: it is the rows that they compete for."""
    user = await make_user(database, role="OPERATOR")
    key = await make_key(database, production(), user_id=user.id)
    wide = Database(database_url, pool_size=CALLERS)
    async with signed_in(gateway(production(), wide), key.text) as send:
        yield send


async def rows(database: Database, table: Any) -> list[Any]:
    await number_changes(database)
    async with database.read() as session:
        return await session.records(table, table.select().order_by(next(iter(table.columns()))))


async def at_once(send: Send, text: str, inputs: list[dict[str, Any]]) -> list[Any]:
    """The answers to requests that are all under way at the same time."""
    answers = await asyncio.gather(*(send(text, input=input) for input in inputs))
    return [outcome_of(answer["answer"]) for answer in answers]


async def test_a_new_setting_is_set_by_many_at_once(send: Send, database: Database) -> None:
    text = """mutation ($input: SetConfigInput!) { answer: setConfig(input: $input) {
      configEntry { value version } errors { code } } }"""
    inputs = [{"key": "limits.dreams", "value": number} for number in range(CALLERS)]
    answers = await at_once(send, text, inputs)
    assert sorted(answer["version"] for answer in answers) == list(range(1, CALLERS + 1))
    assert sorted(answer["value"] for answer in answers) == list(range(CALLERS))

    values = [answer["value"] for answer in sorted(answers, key=lambda a: a["version"])]
    (entry,) = await rows(database, ConfigEntry)
    assert (entry.version, entry.value) == (CALLERS, values[-1])
    traces = [t for t in await rows(database, AuditEntry) if t.operation == "setConfig"]
    by_version = {trace.after["version"]: trace for trace in traces}
    assert [by_version[n].after["value"] for n in range(1, CALLERS + 1)] == values
    assert [by_version[n].before["value"] for n in range(2, CALLERS + 1)] == values[:-1]
    changes = [c.kind for c in await rows(database, Change) if c.entity_id == entry.id]
    assert changes == ["CREATED"] + ["UPDATED"] * (CALLERS - 1)


async def test_a_new_flag_is_set_by_many_at_once(send: Send, database: Database) -> None:
    text = """mutation ($input: SetFeatureFlagInput!) { answer: setFeatureFlag(input: $input) {
      featureFlag { rolloutPercent } errors { code } } }"""
    inputs = [
        {"key": "new", "enabled": True, "rolloutPercent": number} for number in range(CALLERS)
    ]
    answers = await at_once(send, text, inputs)
    assert sorted(answer["rolloutPercent"] for answer in answers) == list(range(CALLERS))
    (flag,) = await rows(database, FeatureFlag)
    changes = [c.kind for c in await rows(database, Change) if c.entity_id == flag.id]
    assert changes == ["CREATED"] + ["UPDATED"] * (CALLERS - 1)


async def test_set_and_removed_at_once_neither_fails(send: Send) -> None:
    text = """mutation ($input: SetConfigInput!) { answer: setConfig(input: $input) {
      errors { code } } deleteConfig(input: {key: "flicker"}) { errors { code } } }"""
    inputs = [{"key": "flicker", "value": number} for number in range(CALLERS)]
    answers = await at_once(send, text, inputs)
    assert answers == [{}] * CALLERS


async def test_the_environment_is_synced_by_many_at_once_in_any_order(
    send: Send, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"DREAMNET_TEST_{number}" for number in range(8)]
    for name in names:
        monkeypatch.setenv(name, "eu-1")
    text = """mutation ($input: SyncEnvironmentInput!) { answer: syncEnvironment(input: $input) {
      referenced errors { code } } }"""
    inputs = [{"names": names if number % 2 else names[::-1]} for number in range(CALLERS)]
    answers = await at_once(send, text, inputs)
    assert answers == [{"referenced": input["names"]} for input in inputs]
    entries = await rows(database, ConfigEntry)
    assert [entry.version for entry in entries] == [1] * len(names)


async def test_preferences_are_stored_by_many_at_once(send: Send, database: Database) -> None:
    text = """mutation ($input: SetPreferencesInput!) { answer: setPreferences(input: $input) {
      user { preferences } errors { code } } }"""
    inputs = [{"preferences": {"theme": number}} for number in range(CALLERS)]
    answers = await at_once(send, text, inputs)
    assert answers == inputs


async def test_a_new_user_signs_in_many_times_at_once(
    database_url: str, database: Database, issuer: Issuer
) -> None:
    settings = production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE)
    gateways = [gateway(settings, Database(database_url)) for _ in range(4)]

    async def role(app: Any) -> Any:
        async with signed_in(app, issuer.token()) as send:
            return await asyncio.gather(*(send("{ viewer { role } }") for _ in range(10)))

    answers = await asyncio.gather(*map(role, gateways))
    assert answers == [[{"viewer": {"role": "MEMBER"}}] * 10] * 4
    assert len(await rows(database, User)) == 1
