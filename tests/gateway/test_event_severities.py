"""Severities that types decide on, the echo of events in the log, and the start of requests."""

import io
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from db import Database
from db.events import Event, EventSeverity, echo, severities
from db.events.echo import Echo
from db.events.severities import DEFAULT, SeverityRules
from gateway.settings import Settings
from support.factories import make_user
from support.gateways import gateway, make_key, production
from support.logged import logging_to
from support.mutations import stored
from support.wait import until

LOG = "mutation ($input: LogEventInput!) { logEvent(input: $input) { errors { code message } } }"
MANY = """mutation ($input: LogEventsInput!) {
  logEvents(input: $input) { storedCount refused { index errors { message field } } }
}"""
FLAG = """mutation { setFeatureFlag(input: {key: "dark", enabled: true}) { errors { code } } }"""
RULES = "payment_*=WARNING,*_failed=critical,config_updated=ERROR"
HOSTILE = "x\n[CRITICAL] [root] owned"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    text = io.StringIO()
    with logging_to(text):
        yield text


@pytest.fixture(autouse=True)
def _rules_of_others() -> Iterator[None]:
    yield
    severities.use(SeverityRules(DEFAULT))
    echo.use(Echo())


@asynccontextmanager
async def client_of(database: Database, **settings: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway in production, with the key of an operator."""
    chosen = production(**settings)
    user = await make_user(database, role="OPERATOR")
    key = await make_key(database, chosen, user_id=user.id)
    app = gateway(chosen, Database(database.url))
    headers = {"authorization": f"Bearer {key.text}"}
    transport, base = httpx2.ASGITransport(app), "http://127.0.0.1:8000"
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=base, headers=headers) as client,
    ):
        yield client


async def send(client: httpx2.AsyncClient, query: str, input: Any = None) -> Any:
    body = {"query": query, "variables": {"input": input}}
    return (await client.post("/graphql", json=body)).json()


async def found(database: Database) -> list[tuple[str, str]]:
    events = await stored(database, Event)
    return sorted((event.event_type, event.severity) for event in events)


async def test_the_type_decides_where_no_severity_is_given(database: Database) -> None:
    async with client_of(database, event_severities=RULES, request_log="off") as client:
        one = {"source": "shop"}
        for given in (
            {"eventType": "payment_failed"},
            {"eventType": "Upload_Failed"},
            {"eventType": "deployed", "severity": None},
            {"eventType": "kept_failed", "severity": "DEBUG"},
        ):
            answer = await send(client, LOG, one | given)
            assert answer == {"data": {"logEvent": {"errors": []}}}
        items = [
            one | {"eventType": "sync_failed"},
            one | {"eventType": "sync_failed", "severity": "INFO"},
            one | {"eventType": "sync_failed", "severity": ""},
        ]
        answer = await send(client, MANY, {"events": items})
        record = {"eventName": "export_failed", "timeUnixNano": str(time.time_ns())}
        await client.post(
            "/v1/logs",
            json={"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]},
        )
        await send(client, FLAG)

    [refused] = answer["data"]["logEvents"]["refused"]
    assert refused["errors"][0]["field"] == ["events", "2", "severity"]
    assert await found(database) == [
        ("Upload_Failed", "CRITICAL"),
        ("config_updated", "ERROR"),
        ("deployed", "INFO"),
        ("export_failed", "CRITICAL"),
        ("kept_failed", "DEBUG"),
        ("payment_failed", "WARNING"),
        ("sync_failed", "CRITICAL"),
        ("sync_failed", "INFO"),
    ]


@pytest.mark.parametrize(
    ("event_type", "severity"),
    [
        ("payment_failed", EventSeverity.ERROR),
        ("system_error", EventSeverity.ERROR),
        ("ERROR", EventSeverity.ERROR),
        ("disk_critical", EventSeverity.CRITICAL),
        ("quota_warning", EventSeverity.WARNING),
        ("failed_over", EventSeverity.INFO),
        ("", EventSeverity.INFO),
        ("x" * 1_000_000 + "_failed", EventSeverity.INFO),  # refused, whatever its severity
    ],
)
def test_default_rules(event_type: str, severity: EventSeverity) -> None:
    severities.use(SeverityRules(DEFAULT))
    assert severities.severity_of(event_type) is severity


def test_no_rules() -> None:
    rules = Settings(_env_file=None, event_severities="none").severity_rules
    assert rules.severity_of("payment_failed") is EventSeverity.INFO


async def test_events_are_echoed_by_names_alone(database: Database, log: io.StringIO) -> None:
    severe: dict[str, Any] = {"source": "shop", "payload": {"card": "4111"}}
    async with client_of(database, event_echo="error", request_log="off") as client:
        await send(client, LOG, severe | {"eventType": "payment_failed"})
        await send(client, LOG, severe | {"eventType": "paid"})  # INFO is less than asked for
        await send(client, LOG, severe | {"eventType": HOSTILE, "severity": "CRITICAL"})
        odd = {"eventType": "a_failed", "source": "Straße"}
        secret = {"eventType": "a_failed", "source": "dn_prod_" + "a1B2c3D4e5F6g7H8i9J0"}
        unstored = {"eventType": "b_failed", "source": "x" * 201}
        await send(client, MANY, {"events": [odd, secret, unstored]})

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    echoed = [(line["level"], line["event"]) for line in lines if line["event"].startswith("[")]
    assert echoed == [
        ("error", "[ERROR] [shop] payment_failed"),
        ("critical", "[CRITICAL] [shop] (other)"),
        ("error", "[ERROR] [(other)] a_failed"),
        ("error", "[ERROR] [(other)] a_failed"),
    ]
    assert "4111" not in log.getvalue()
    assert "owned" not in log.getvalue()


async def test_events_of_the_gateway_are_echoed_once_they_are_stored(
    database: Database, log: io.StringIO
) -> None:
    rules = "config_updated=ERROR"
    settings = {"event_echo": "error", "event_severities": rules, "request_log": "off"}
    refused = 'mutation { deleteFeatureFlag(input: {key: "none"}) { errors { code } } }'
    async with client_of(database, **settings) as client:
        await send(client, refused)
        await send(client, FLAG)

    assert log.getvalue().count("[ERROR] [config-manager] config_updated") == 1


def test_a_flood_of_events_is_counted(log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [1.0]
    monkeypatch.setattr(echo.time, "monotonic", lambda: seconds[0])
    echoing = Echo(EventSeverity.ERROR)
    for _ in range(echo.MOST + 7):
        echoing.write(EventSeverity.ERROR, "shop", "failed")
    seconds.append(seconds.pop() + 1)
    echoing.write(EventSeverity.ERROR, "shop", "failed")

    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [line["event"] for line in lines[: echo.MOST]] == ["[ERROR] [shop] failed"] * echo.MOST
    assert (lines[-2]["event"], lines[-2]["count"]) == (
        "events were not echoed, they were too many",
        7,
    )
    assert len(lines) == echo.MOST + 2


async def test_the_start_of_requests_is_recorded_if_asked_for(database: Database) -> None:
    for start in ("off", "on"):
        settings = {"request_start": start, "request_log": "on", "public_read": True}
        async with client_of(database, **settings) as client:
            await client.post("/graphql?secret=1", json={"query": "{ __typename }"})
            await client.get("/health?secret=1")

    async def both() -> bool:
        return len(await stored(database, Event)) == 3

    await until(both)
    events = [event for event in await stored(database, Event) if event.source == "api-server"]
    [start_of] = [event for event in events if event.event_type == "request_start"]
    assert start_of.payload == {"method": "POST", "path": "/graphql"}
    requests = [event.metadata["request_id"] for event in events]
    assert requests.count(start_of.metadata["request_id"]) == 2
