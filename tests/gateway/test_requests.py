"""The request log: its contents, what it never contains, and its cost."""

from typing import Any

import httpx2
import pytest

from db import Database
from db.core.ingest import writer
from db.events import Event
from gateway.app import create_app
from gateway.middleware.refusals import MAX_KINDS, Kind, Refusals
from gateway.networks import region
from gateway.process.configuration import uvicorn_config
from gateway.settings import Settings
from support.gateways import production
from support.websocket_client import greeted, running

QUERY = "query Whoami($secret: String!) { agent(key: $secret) { key } }"
SECRET = "hunter2"  # noqa: S105  looked for in what is stored
HEADERS = {"user-agent": "u" * 300, "x-api-version": SECRET}


@pytest.fixture
def settings() -> Settings:
    return Settings(_env_file=None, request_log="on")


@pytest.fixture
def recorded(settings: Settings, database_url: str) -> Any:
    """`await recorded(request, …)`: the answers to requests, and the events once all is stored."""

    async def recorded(*requests: dict[str, Any]) -> tuple[list[httpx2.Response], list[Any]]:
        app = create_app(settings, Database(database_url))
        transport, base = httpx2.ASGITransport(app), "http://127.0.0.1:8000"
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url=base) as client,
        ):
            answers = [await client.request(**request) for request in requests]
        return answers, await events(database_url)

    return recorded


async def events(url: str) -> list[Any]:
    database = Database(url)
    async with database.read() as session:
        found = await session.records(Event, Event.select().order_by(Event.seq))
    await database.close()
    return found


def asking(query: str = QUERY, **more: Any) -> dict[str, Any]:
    content = {"query": query, "variables": {"secret": SECRET}}
    return {"method": "POST", "url": "/graphql", "json": content, "headers": HEADERS, **more}


async def test_the_fields_of_a_recorded_request(recorded: Any) -> None:
    (answer,), (event,) = await recorded(asking())
    payload = event.payload
    assert (event.event_type, event.source, event.severity) == ("api_request", "api-server", "INFO")
    assert (payload["operation"], payload["kind"], payload["status"]) == ("Whoami", "query", 200)
    assert payload["response_bytes"] == len(answer.content)
    assert payload["request_bytes"] == len(answer.request.content)
    assert payload["duration_ms"] > 0
    assert payload["user_agent"] == "u" * 200
    assert payload["ip"] == "127.0.0.0/24"
    assert event.metadata == {"request_id": answer.headers["x-request-id"]}
    assert SECRET not in str(event)
    assert "agent(key" not in str(event)


async def test_the_same_document_has_the_same_hash(recorded: Any) -> None:
    _, found = await recorded(asking(), asking(), asking(QUERY + " # another"))
    first, second, third = (event.payload["document"] for event in found)
    assert first == second != third
    assert len(first) == 16


async def test_refused_requests_are_counted(recorded: Any) -> None:
    refused = asking(content=b"{}", json=None)
    _, found = await recorded(asking("{"), refused, refused)
    assert [event.payload["status"] for event in found] == [200, 415]
    (_, counted) = found
    assert counted.payload.pop("seconds") >= 0
    assert counted.event_type == "api_requests_refused"
    assert counted.payload == {
        "status": 415,
        "ip": "127.0.0.0/24",
        "key_id": None,
        "count": 2,
        "request_bytes": 0,
    }


async def test_refusals_of_very_many_networks_are_few_events() -> None:
    stored: dict[Kind, int] = {}
    refusals = Refusals(lambda kind, payload: stored.update({kind: payload["count"]}))
    for number in range(MAX_KINDS * 3):
        refusals.add(Kind(401, f"{number}"), request_bytes=0)
    refusals.flush()
    refusals.flush()
    assert len(stored) == MAX_KINDS + 1
    assert stored[Kind(401)] == MAX_KINDS * 2


async def test_operations_that_are_refused_over_a_websocket_are_counted(database_url: str) -> None:
    settings = production(request_log="on", public_read=True)
    config = uvicorn_config(settings, Database(database_url))
    async with running(config) as address, greeted(address) as client:
        for number in range(5):
            await client.refusal(f"{number}", "{ users { totalCount } }")
    (counted,) = await events(database_url)
    assert counted.event_type == "api_requests_refused"
    assert (counted.payload["count"], counted.payload["status"]) == (5, None)


async def test_operations_over_a_websocket_are_recorded_once_they_are_over(
    settings: Settings, database_url: str
) -> None:
    config = uvicorn_config(settings, Database(database_url))
    async with running(config) as address, greeted(address) as client:
        assert "errors" not in await client.answer("1", QUERY, variables={"secret": SECRET})
        await client.refusal("2", "{")
        await client.ask("3", "subscription Watch { agentHistory { kind } }")
        assert (await client.hear())["type"] == "next"
    found = await events(database_url)
    seen = [event.payload for event in found]
    assert [(payload["operation"], payload["kind"]) for payload in seen] == [
        ("Whoami", "query"),
        (None, None),
        ("Watch", "subscription"),
    ]
    assert all(payload["status"] is payload["response_bytes"] is None for payload in seen)
    assert all(payload["duration_ms"] > 0 < payload["request_bytes"] for payload in seen)
    assert all(payload["ip"] == "127.0.0.0/24" for payload in seen)
    socket = found[0].metadata["request_id"].removesuffix(".1")
    assert [event.metadata["request_id"] for event in found] == [f"{socket}.{n}" for n in (1, 2, 3)]
    assert SECRET not in str(found)


async def test_other_paths_are_not(recorded: Any) -> None:
    _, found = await recorded({"method": "GET", "url": "/livez"})
    assert found == []


@pytest.mark.parametrize("settings", [Settings(_env_file=None, request_log="off")])
async def test_it_can_be_switched_off(recorded: Any) -> None:
    assert (await recorded(asking()))[1] == []


@pytest.mark.parametrize(
    "settings", [Settings(_env_file=None, request_log="on", request_log_sample=0)]
)
async def test_a_sample_of_nothing_is_nothing(recorded: Any) -> None:
    assert (await recorded(asking()))[1] == []


async def test_a_full_lane_fails_no_request(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_ROWS", 0)
    (answer,), found = await recorded(asking())
    assert (answer.status_code, found) == (200, [])


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("unix", None),
        ("", None),
    ],
)
def test_addresses_are_truncated(host: str, network: str | None) -> None:
    assert region(host) == network
