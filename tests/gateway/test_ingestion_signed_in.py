"""Ingestion in production: rows of a caller with a real credential are stored, and the request log
names the caller."""

from typing import Any, cast

import pytest
from sqlalchemy import text
from starlette.applications import Starlette
from structlog.testing import capture_logs

from db import Database
from db.agents import AgentReport
from db.analytics import UserAction
from db.core.ingest import writer
from db.core.ingest.writer import Ingestion
from db.events import Event
from db.metrics import Metric
from gateway.middleware.request_events import RequestEvents
from gateway.request_record import RequestRecord
from gateway.settings import Settings
from support.factories import make_user
from support.gateways import Send, gateway, make_key, production, signed_in
from support.oidc_issuer import AUDIENCE, Issuer
from support.websocket_client import greeted, serving

ONE = "storedId errors { message field }"
MANY = "refused { index errors { message } } errors { message }"

EVENT = {"eventType": "deployed", "source": "ci"}
METRIC = {"metricName": "cpu", "value": 0.5}
ACTION = {"action": "clicked"}
REPORT = {"agentKey": "scout", "status": "RUNNING"}

# Each ingestion mutation: the scope it needs, what is sent, and the tables where it is stored.
SENT: dict[str, tuple[str, dict[str, Any], tuple[Any, ...]]] = {
    "logEvent": ("events:write", EVENT, (Event,)),
    "logEvents": ("events:write", {"events": [EVENT]}, (Event,)),
    "logError": ("events:write", {"message": "boom"}, (Event,)),
    "recordMetric": ("metrics:write", METRIC, (Metric,)),
    "recordMetrics": ("metrics:write", {"metrics": [METRIC]}, (Metric,)),
    "reportAgentStatus": ("agents:write", REPORT, (AgentReport, Event)),
    "reportAgentStatuses": ("agents:write", {"reports": [REPORT]}, (AgentReport, Event)),
    "reportAgentPerformance": (
        "agents:write",
        REPORT | {"responseTime": 120, "successRate": 98},
        (AgentReport, Metric),
    ),
    "reportAgentError": ("agents:write", {"agentKey": "scout", "message": "lost"}, (AgentReport,)),
    "trackUserAction": ("events:write", ACTION, (UserAction, Event)),
    "trackUserActions": ("events:write", {"actions": [ACTION]}, (UserAction, Event)),
}


@pytest.fixture
def settings(issuer: Issuer) -> Settings:
    """Those of production with the request log, and an issuer of tokens."""
    return production(oidc_issuer=issuer.url, oidc_audience=AUDIENCE, request_log="on")


@pytest.fixture
def app(settings: Settings, database: Database) -> Starlette:
    return gateway(settings, database)


def mutation(verb: str) -> str:
    type_ = f"{verb[0].upper()}{verb[1:]}Input"
    shown = MANY if verb.endswith("s") and verb != "reportAgentStatus" else ONE
    return f"mutation Send($input: {type_}!) {{ answer: {verb}(input: $input) {{ {shown} }} }}"


async def rows(database: Database, table: Any) -> list[Any]:
    """The rows of a table, without what the request log adds."""
    async with database.read() as session:
        found = await session.records(table, table.select())
    return [row for row in found if getattr(row, "event_type", None) != "api_request"]


async def logged(database: Database) -> list[Any]:
    """The entries of the request log."""
    async with database.read() as session:
        entries = Event.select().where(Event.event_type == "api_request").order_by(Event.seq)
        return await session.records(Event, entries)


async def is_stored(send: Send, database: Database, verb: str) -> bool:
    _, input, tables = SENT[verb]
    answer = (await send(mutation(verb), input=input))["answer"]
    assert answer["errors"] == []
    assert answer.get("refused", []) == []
    return all([await rows(database, table) for table in tables])


@pytest.mark.parametrize("verb", SENT)
async def test_reports_of_a_key_are_stored(
    app: Starlette, settings: Settings, database: Database, verb: str
) -> None:
    key = await make_key(database, settings, scopes=[SENT[verb][0]])
    async with signed_in(app, key.text) as send:
        assert await is_stored(send, database, verb)
    (entry,) = await logged(database)
    assert (entry.user_id, entry.payload["key_id"]) == (key.record.user_id, str(key.record.id))
    assert (entry.payload["operation"], entry.payload["status"]) == ("Send", 200)


@pytest.mark.parametrize("verb", SENT)
async def test_reports_of_a_token_are_stored(
    app: Starlette, issuer: Issuer, database: Database, verb: str
) -> None:
    user = await make_user(database, email="ada@example.org", role="OPERATOR")
    async with signed_in(app, issuer.token()) as send:
        assert await is_stored(send, database, verb)
    (entry,) = await logged(database)
    assert (entry.user_id, entry.payload["key_id"]) == (user.id, None)


async def test_an_action_belongs_to_its_sender(
    app: Starlette, settings: Settings, database: Database
) -> None:
    key = await make_key(database, settings)
    async with signed_in(app, key.text) as send:
        await send(mutation("trackUserAction"), input=ACTION)
    (action,) = await rows(database, UserAction)
    (event,) = await rows(database, Event)
    assert action.user_id == event.user_id == key.record.user_id


async def test_operations_of_a_key_over_a_websocket_are_logged(
    settings: Settings, database: Database
) -> None:
    key = await make_key(database, settings)
    async with (
        serving(settings, database) as address,
        greeted(address, authorization=f"Bearer {key.text}") as client,
    ):
        answer = await client.answer("1", mutation("trackUserAction"), variables={"input": ACTION})
        assert answer["data"]["answer"]["errors"] == []
    (entry,) = await logged(database)
    assert (entry.user_id, entry.payload["key_id"]) == (key.record.user_id, str(key.record.id))


async def test_a_fault_of_the_request_log_is_an_error_with_a_count(database: Database) -> None:
    await database.now()
    recorder, not_json = RequestEvents(Ingestion(database), 1), cast("Any", object())
    with capture_logs() as lines:
        for _ in range(3):
            recorder.record(RequestRecord(request_id=not_json))
        recorder.close()
    assert [(line["log_level"], line["count"]) for line in lines] == [("error", 1), ("error", 2)]
    assert {line["event"] for line in lines} == {"requests not recorded because of a fault"}
    assert "NotStorable" in lines[0]["reason"]


async def test_an_entry_that_the_database_refuses_is_an_error_with_a_count(
    app: Starlette, settings: Settings, database: Database
) -> None:
    key = await make_key(database, settings)
    async with database.write() as session:
        refusing = "alter table system_events add constraint ck_test check (source <> 'api-server')"
        await session.execute(text(refusing))
    with capture_logs() as lines:
        async with signed_in(app, key.text) as send:
            assert await send("{ viewer { role } }")
    (line,) = [line for line in lines if "not recorded" in line["event"]]
    assert (line["log_level"], line["count"]) == ("error", 1)


async def test_a_full_lane_is_a_warning_with_a_count(
    app: Starlette, settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_ROWS", 0)
    key = await make_key(database, settings)
    with capture_logs() as lines:
        async with signed_in(app, key.text) as send:
            await send("{ viewer { role } }")
    (line,) = [line for line in lines if "not recorded" in line["event"]]
    assert (line["log_level"], line["count"]) == ("warning", 1)
