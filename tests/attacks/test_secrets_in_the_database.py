"""Callers send secrets, or have the gateway read them from its environment, to be stored.

Whoever may read events, metrics, agents, settings or a backup would read them there.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import literal_column, select

from db import Database
from db.core.secret_detection import MASKED
from db.core.table import Table
from db.importer import import_files
from support.attack_target import Target, attacked

PASSWORD = "hunter2plain"  # noqa: S105  not one of anything
HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl"
CREDENTIALS = {
    "AWS": "AKIAQYLPMN5HHHFPZAM2",
    "GitHub": f"ghp_{'a1B2' * 9}",
    "GitLab": "glpat-abcDEF123456ghiJKL78",
    "JWT": JWT,
    "OpenAI": f"sk-proj-{'Ab1_' * 6}",
    "Slack": "xoxb-1234567890-abcdefghij",
    "Stripe": "sk_live_" + "a1b2c3d4e5f6",  # in two, or scanners find it here
    "a private key": "-----BEGIN EC PRIVATE KEY-----\nMIIEpAIBAAKC\n-----END EC PRIVATE KEY-----",
    "a URL with a password": f"amqp://user:{PASSWORD}@broker/vhost",
    "a URL with a parameter": f"postgres://h/db?password={PASSWORD}",
    "a connection string": f"Server=db;Pwd={PASSWORD};Timeout=5",
    "a header": "Authorization: Bearer abcdefghijklmnopqrstuvwxyz",
}
NAMES = (
    *("password", "DB_PWD", "apiKey", "x-api-key", "API_KEY", "accessToken", "Authorization"),
    *("set-cookie", "HMAC_PEPPER", "token", "clientSecret", "private_key", "salt", "dbPassword2"),
)
SET = """mutation ($input: SetConfigInput!) { setConfig(input: $input) {
  errors { code field } } }"""
SYNC = """mutation ($input: SyncEnvironmentInput!) { syncEnvironment(input: $input) {
  stored referenced } }"""


@pytest.fixture
async def target(database: Database) -> AsyncIterator[Target]:
    """A gateway whose operator lets some variables be stored, two of them by mistake."""
    names = "DREAMNET_TEST_REGION, DB_PWD, HMAC_PEPPER, DREAMNET_TEST_HASH"
    async with attacked(database, sync_environment=names) as target:
        yield target


async def everything_stored(database: Database) -> str:
    """All rows of all tables."""
    rows = []
    async with database.read() as session:
        for table in Table.metadata.sorted_tables:
            whole = select(literal_column(f'"{table.name}"::text')).select_from(table)
            rows += [row[0] for row in await session.rows(whole)]
    return "\n".join(rows)


def sent(verb: str, **input: Any) -> tuple[str, dict[str, Any]]:
    """The mutation that reports an input, and its variables."""
    kind = f"{verb[0].upper()}{verb[1:]}Input"
    return (
        f"mutation ($input: {kind}!) {{ r: {verb}(input: $input) {{ errors {{ code }} }} }}",
        input,
    )


async def test_variables_that_the_operator_does_not_list_are_not_stored(
    target: Target, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "DB_PWD": PASSWORD,
        "HMAC_PEPPER": HEX,
        "DREAMNET_TEST_HASH": HEX,
        "DREAMNET_TEST_UNLISTED": PASSWORD,
        "DREAMNET_TEST_REGION": "eu-1",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)

    key = await target.key_of("ADMIN", "config:read", "config:write")
    result = await target.ask(SYNC, key, input={"names": list(values)})

    *hidden, shown = values
    assert result["syncEnvironment"] == {"stored": [shown], "referenced": hidden}
    stored = await everything_stored(database)
    assert PASSWORD not in stored
    assert HEX not in stored


@pytest.mark.parametrize("text", [*CREDENTIALS.values(), HEX], ids=[*CREDENTIALS, "hex"])
async def test_settings_refuse_credentials(target: Target, database: Database, text: str) -> None:
    key = await target.key_of("OPERATOR")
    values: list[Any] = [text, {"a": [{"b": f"it is {text}"}]}, {text: 1}]

    results = [await target.ask(SET, key, input={"key": "a", "value": v}) for v in values]

    refused = {"setConfig": {"errors": [{"code": "INVALID", "field": ["value"]}]}}
    assert results == [refused] * len(values)
    assert text not in await everything_stored(database)


@pytest.mark.parametrize("name", NAMES)
async def test_settings_refuse_values_of_secret_names(target: Target, name: str) -> None:
    key, value = await target.key_of("OPERATOR"), {"servers": [{name: PASSWORD}]}
    result = await target.ask(SET, key, input={"key": "a", "value": value})
    assert result["setConfig"]["errors"][0]["field"] == ["value"]


async def test_descriptions_of_settings_refuse_credentials(target: Target) -> None:
    key, text = await target.key_of("OPERATOR"), f"use {CREDENTIALS['AWS']}"
    result = await target.ask(SET, key, input={"key": "a", "value": 1, "description": text})
    assert result["setConfig"]["errors"][0]["field"] == ["description"]


def documents() -> list[dict[str, Any]]:
    """Objects that hold secrets under names and in texts, at several depths."""
    return [
        *({name: PASSWORD} for name in NAMES),
        *({"note": f"it is {text} now"} for text in CREDENTIALS.values()),
        {"a": [{"b": {"password": PASSWORD}}], "secret": {"inner": [PASSWORD, 7]}},
        {"headers": [["authorization", PASSWORD], ["accept", "*/*"]]},
        {"fields": [{"name": "password", "value": PASSWORD}, {"name": "x", "value": 1}]},
        {"body": orjson.dumps({"password": PASSWORD}).decode()},
        {CREDENTIALS["AWS"]: 1},
    ]


SECRETS = (PASSWORD, *CREDENTIALS.values())


@pytest.mark.parametrize(
    ("verb", "given"),
    [
        ("logEvent", lambda d: {"eventType": "e", "source": "s", "payload": d}),
        ("logEvent", lambda d: {"eventType": "e", "source": "s", "metadata": d}),
        ("recordMetric", lambda d: {"metricName": "m", "value": 1, "tags": d}),
        ("trackUserAction", lambda d: {"action": "a", "metadata": d}),
        ("reportAgentStatus", lambda d: {"agentKey": "a", "status": "RUNNING", "currentTask": d}),
        (
            "reportAgentStatus",
            lambda d: {"agentKey": "a", "status": "RUNNING", "performanceMetrics": d},
        ),
        ("reportAgentError", lambda d: {"agentKey": "a", "message": str(d.get("note", "none"))}),
    ],
)
async def test_reported_secrets_are_masked(
    target: Target, database: Database, verb: str, given: Any
) -> None:
    key = await target.key_of("OPERATOR")
    for document in documents():
        text, input = sent(verb, **given(document))
        result = await target.ask(text, key, input=input)
        assert result == {"r": {"errors": []}}

    stored = await everything_stored(database)
    assert [secret for secret in SECRETS if secret.splitlines()[0] in stored] == []
    assert MASKED in stored


async def test_batches_are_masked_too(target: Target, database: Database) -> None:
    events = [{"eventType": "e", "source": "s", "payload": each} for each in documents()]
    text, input = sent("logEvents", events=events)
    await target.ask(text, await target.key_of("OPERATOR"), input=input)

    stored = await everything_stored(database)
    assert [secret for secret in SECRETS if secret.splitlines()[0] in stored] == []
    assert stored.count(MASKED) >= len(events)


async def test_imported_secrets_are_masked(database: Database, tmp_path: Path) -> None:
    at = "2024-01-05T11:00:00Z"
    lines: list[dict[str, Any]] = []
    for n, each in enumerate(documents()):
        shared = {"timestamp": at, "key": str(n), "kind": "event"}
        event = {"eventType": "e", "source": "s", "severity": "INFO"}
        lines.append({**shared, **event, "payload": each, "metadata": each})
        metric = {"kind": "metric", "metricName": f"m{n}", "value": "1"}
        lines.append({**metric, "tags": each, "timestamp": at})
        report = {"kind": "agentReport", "key": str(n), "agentKey": "a", "status": "ERROR"}
        error = str(each.get("note", ""))
        lines.append({**report, "at": at, "performanceMetrics": each, "error": error})
    file = tmp_path / "secrets.jsonl"
    file.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))

    report_ = await import_files(database, [file], rejects_dir=tmp_path)

    assert (report_.failed, report_.files[0].rows) == (0, len(lines))
    stored = await everything_stored(database)
    assert [secret for secret in SECRETS if secret.splitlines()[0] in stored] == []


async def test_values_without_secrets_are_stored(target: Target, database: Database) -> None:
    payload = {
        "tokensUsed": 1200,
        "max_tokens": 4096,
        "costPerToken": 0.002,
        "token_type": "Bearer",
        "author": "Ada",
        "key": "dreams.achieved_at",
        "pass": True,
        "passed": "all",
        "password": None,
        "url": "https://example.org:8080/npm/@scope?page=2",
        "note": "invalid token: unexpected end of input at 10:15",
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "pairs": [["accept", "text/html"], ["x", 1]],
    }
    text, input = sent("logEvent", eventType="e", source="s", payload=payload)
    key = await target.key_of("OPERATOR")
    await target.ask(text, key, input=input)

    query = '{ events(filter: {source: {eq: "s"}}) { nodes { payload } } }'
    result = await target.ask(query, key)
    assert result["events"]["nodes"] == [{"payload": payload}]
