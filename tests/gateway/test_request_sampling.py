"""Sampling: above 200 requests a second a line and an event stand for several requests."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from db import Database
from db.core.ingest import writer
from db.events import Event
from gateway import log_format
from gateway.app import create_app
from gateway.middleware import sampler
from gateway.process.configuration import uvicorn_config
from graph.schema import schema
from support.gateways import Clock, production
from support.logged import logging_to
from support.wait import until
from support.websocket_client import Client, greeted, running

SECRET = "hunter2plain"  # noqa: S105  not one of anything
GOOD = {"query": "query Fine { __typename }", "variables": {"unused": SECRET}}
BAD = {"query": "query Broken($key: String!) { featureEnabled(key: $key) }"}
BAD |= {"variables": {"key": SECRET}}


class Recorded:
    """Gateways with one database and one log. Their clock stands still."""

    def __init__(self, url: str, log: io.StringIO) -> None:
        self.url = url
        self.log = log
        self.clock = Clock()
        self.settings = production(
            request_log="on", public_read=True, budget_points_per_minute_anonymous=10**9
        )

    @asynccontextmanager
    async def client(self, **more: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of a gateway with these settings."""
        settings = self.settings.model_copy(update=more)
        app = create_app(settings, Database(self.url), clock=self.clock)
        transport, base = httpx2.ASGITransport(app), "http://127.0.0.1:8000"
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url=base) as client,
        ):
            yield client

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[Client]:
        """A client of a gateway over a WebSocket."""
        config = uvicorn_config(self.settings, Database(self.url))
        app: Any = config.app
        app.state.recorder.clock = self.clock
        async with running(config) as address, greeted(address) as client:
            yield client

    def lines(self, event: str = "request") -> list[dict[str, Any]]:
        log_format.flush()
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in found if line["event"] == event]

    def weights(self) -> list[int]:
        return [line.get("weight", 1) for line in self.lines()]

    async def payloads(self) -> dict[str, dict[str, Any]]:
        """The payloads of stored events, by request id."""
        database = Database(self.url)
        async with database.read() as session:
            found = await session.records(Event, Event.select())
        await database.close()
        return {event.metadata["request_id"]: event.payload for event in found}


@pytest.fixture
def recorded(database_url: str) -> Iterator[Recorded]:
    log = io.StringIO()
    with logging_to(log):
        yield Recorded(database_url, log)


@pytest.fixture
def _three_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "MOST", 3)


@pytest.fixture
def _failing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_root: object, _info: object, key: str) -> bool:
        raise ValueError(key)

    assert schema._schema.query_type
    monkeypatch.setattr(schema._schema.query_type.fields["featureEnabled"], "resolve", fail)


async def posted(client: httpx2.AsyncClient, body: dict[str, Any], times: int) -> list[str]:
    """The ids of requests that are sent at once."""
    requests = [client.post("/graphql", json=body) for _ in range(times)]
    return [answer.headers["x-request-id"] for answer in await asyncio.gather(*requests)]


def weights(records: Any) -> dict[str, int]:
    return {record: details.get("weight", 1) for record, details in records.items()}


def by_id(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {line["request_id"]: line for line in found}


@pytest.mark.usefixtures("_failing")
async def test_a_thousand_requests_at_once_are_recorded_by_weight(recorded: Recorded) -> None:
    async with recorded.client() as client:
        _, failed = await asyncio.gather(posted(client, GOOD, 980), posted(client, BAD, 20))

    logged, stored = by_id(recorded.lines()), await recorded.payloads()
    assert sum(weights(logged).values()) == 1_000
    assert weights(stored) == weights(logged)
    assert len(logged) == 200 + 20
    for record in (logged, stored):
        errors = {id for id, details in record.items() if "error" in details}
        assert errors == set(failed)
        assert {record[id]["error"] for id in failed} == {"INTERNAL_SERVER_ERROR"}
    assert {weights(logged)[id] for id in failed} == {1}
    resolvers = recorded.lines("resolver failed")
    assert {line["request_id"] for line in resolvers} == set(failed)
    assert {(line["method"], line["operation"]) for line in resolvers} == {("POST", "Broken")}
    assert SECRET not in recorded.log.getvalue() + str(stored)


async def test_few_requests_have_no_weight(recorded: Recorded) -> None:
    async with recorded.client() as client:
        sent = await posted(client, GOOD, sampler.MOST)

    logged = by_id(recorded.lines())
    assert logged.keys() == set(sent)
    assert not any("weight" in line for line in logged.values())
    assert not any("weight" in payload for payload in (await recorded.payloads()).values())


@pytest.mark.usefixtures("_three_a_second")
async def test_the_rest_of_a_second_is_recorded_without_another_request(recorded: Recorded) -> None:
    async with recorded.client() as client:
        await posted(client, GOOD, 10)
        assert recorded.weights() == [1, 1]
        recorded.clock.now += sampler.SECOND
        await until(lambda: len(recorded.lines()) == 3)
        assert recorded.weights() == [1, 1, 8]

    assert sorted(weights(await recorded.payloads()).values()) == [1, 1, 8]


async def test_slow_requests_are_always_recorded(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def wait(_root: object, _info: object, key: str) -> bool:
        recorded.clock.now += float(key)
        return True

    assert schema._schema.query_type
    monkeypatch.setattr(schema._schema.query_type.fields["featureEnabled"], "resolve", wait)
    monkeypatch.setattr(sampler, "MOST", 2)
    async with recorded.client() as client:
        for seconds in ("0.4", "0.3", "0.2", "1.5", "0.1"):
            await posted(client, BAD | {"variables": {"key": seconds}}, 1)

    assert [(line["duration_ms"], line.get("weight", 1)) for line in recorded.lines()] == [
        (400, 1),
        (1500, 1),
        (200, 2),
        (100, 1),
    ]


@pytest.mark.usefixtures("_three_a_second")
async def test_other_requests_do_not_count_as_operations(recorded: Recorded) -> None:
    """Their lines have weights of their own, and so have those of refused requests."""
    async with recorded.client() as client:
        for _ in range(10):
            await client.get("/livez")
            await client.get(f"/{SECRET}")
            await client.put("/graphql")
            await posted(client, GOOD, 1)

    found = recorded.lines()
    served_lines = [line.get("weight", 1) for line in found if "operation" in line]
    other_lines = [line.get("weight", 1) for line in found if "operation" not in line]
    assert (sum(served_lines), len(served_lines)) == (10, 3)
    assert (sum(other_lines), len(other_lines)) == (30, 3)
    assert SECRET not in recorded.log.getvalue()


@pytest.mark.usefixtures("_three_a_second")
async def test_operations_over_a_websocket_are_recorded_by_weight(recorded: Recorded) -> None:
    async with recorded.socket() as client:
        for number in range(10):
            await client.answer(f"{number}", GOOD["query"])

    logged = by_id(recorded.lines("operation"))
    assert sorted(weights(logged).values()) == [1, 1, 8]
    assert weights(await recorded.payloads()) == weights(logged)


@pytest.mark.usefixtures("_failing")
async def test_a_failed_operation_over_a_websocket_has_its_error(recorded: Recorded) -> None:
    async with recorded.socket() as client:
        await client.ask("1", BAD["query"], variables=BAD["variables"])
        await client.hear()

    (line,) = recorded.lines("operation")
    assert (line["error"], line["method"]) == ("INTERNAL_SERVER_ERROR", "WEBSOCKET")
    assert (await recorded.payloads())[line["request_id"]]["error"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.usefixtures("_three_a_second")
@pytest.mark.parametrize("more", [{"request_log": "off"}, {"request_log_sample": 0}])
async def test_a_sample_of_nothing_leaves_the_lines(
    more: dict[str, Any], recorded: Recorded
) -> None:
    async with recorded.client(**more) as client:
        await posted(client, GOOD, 10)

    assert sum(recorded.weights()) == 10
    assert await recorded.payloads() == {}


@pytest.mark.usefixtures("_three_a_second")
async def test_dropped_events_are_counted_by_weight(
    recorded: Recorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_ROWS", 0)
    async with recorded.client() as client:
        await posted(client, GOOD, 10)

    assert sum(line["count"] for line in recorded.lines("requests not recorded")) == 10
