"""Sampling: above 200 requests a second a line and an event stand for several requests."""

import asyncio
import io
import json
import logging
import os
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import structlog

from db import Database
from db.core.ingest import writer
from db.events import Event
from gateway import log_format
from gateway.app import create_app
from gateway.middleware import sampler
from gateway.middleware.sampler import Sampler
from gateway.process.serve import uvicorn_config
from gateway.request_record import new_request_id
from gateway.settings import Settings
from graph.schema import schema
from support.gateways import Clock, production
from support.wait import until
from support.websocket_client import greeted, running

SECRET = "hunter2plain"  # noqa: S105  not one of anything
GOOD = {"query": "query Fine { __typename }", "variables": {"unused": SECRET}}
BAD = {"query": "query Broken($key: String!) { featureEnabled(key: $key) }"}
BAD |= {"variables": {"key": SECRET}}


@pytest.fixture
def settings() -> Settings:
    return production(request_log="on", public_read=True, budget_points_per_minute_anonymous=10**9)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The log as in production."""
    handlers, level = logging.root.handlers, logging.root.level
    log_format.configure(as_json=True, level="info")
    written = io.StringIO()
    (handler,) = logging.root.handlers
    handler.setStream(written)  # type: ignore[attr-defined]  # it is a StreamHandler
    yield written
    logging.root.handlers = handlers
    logging.root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def _failing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(_root: object, _info: object, key: str) -> bool:
        raise ValueError(key)

    assert schema._schema.query_type
    monkeypatch.setattr(schema._schema.query_type.fields["featureEnabled"], "resolve", fail)


@asynccontextmanager
async def served(settings: Settings, url: str, clock: Clock) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose clock stands still."""
    app = create_app(settings, Database(url), clock=clock)
    transport, base = httpx2.ASGITransport(app), "http://127.0.0.1:8000"
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=base) as client,
    ):
        yield client


async def posted(client: httpx2.AsyncClient, body: dict[str, Any], times: int) -> list[str]:
    """The ids of requests that are sent at once."""
    requests = [client.post("/graphql", json=body) for _ in range(times)]
    return [answer.headers["x-request-id"] for answer in await asyncio.gather(*requests)]


def lines(log: io.StringIO, event: str = "request") -> list[dict[str, Any]]:
    log_format.flush()
    found = [json.loads(line) for line in log.getvalue().splitlines()]
    return [line for line in found if line["event"] == event]


async def payloads(url: str) -> dict[str, dict[str, Any]]:
    """The payloads of stored events, by request id."""
    database = Database(url)
    async with database.read() as session:
        found = await session.records(Event, Event.select())
    await database.close()
    return {event.metadata["request_id"]: event.payload for event in found}


def weights(records: Any) -> dict[str, int]:
    return {record: details.get("weight", 1) for record, details in records.items()}


def by_id(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {line["request_id"]: line for line in found}


@pytest.mark.usefixtures("_failing")
async def test_a_thousand_requests_at_once_are_recorded_by_weight(
    settings: Settings, database_url: str, log: io.StringIO, clock: Clock
) -> None:
    async with served(settings, database_url, clock) as client:
        _, failed = await asyncio.gather(posted(client, GOOD, 980), posted(client, BAD, 20))

    logged, stored = by_id(lines(log)), await payloads(database_url)
    assert sum(weights(logged).values()) == 1_000
    assert weights(stored) == weights(logged)
    assert len(logged) == 200 + 20
    for record in (logged, stored):
        errors = {id for id, details in record.items() if "error" in details}
        assert errors == set(failed)
        assert {record[id]["error"] for id in failed} == {"INTERNAL_SERVER_ERROR"}
    assert {weights(logged)[id] for id in failed} == {1}
    resolvers = lines(log, "resolver failed")
    assert {line["request_id"] for line in resolvers} == set(failed)
    assert {(line["method"], line["operation"]) for line in resolvers} == {("POST", "Broken")}
    assert SECRET not in log.getvalue() + str(stored)


async def test_few_requests_have_no_weight(
    settings: Settings, database_url: str, log: io.StringIO, clock: Clock
) -> None:
    async with served(settings, database_url, clock) as client:
        sent = await posted(client, GOOD, sampler.MOST)

    logged = by_id(lines(log))
    assert logged.keys() == set(sent)
    assert not any("weight" in line for line in logged.values())
    assert not any("weight" in payload for payload in (await payloads(database_url)).values())


async def test_the_rest_of_a_second_is_recorded_without_another_request(
    settings: Settings,
    database_url: str,
    log: io.StringIO,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler, "MOST", 3)
    async with served(settings, database_url, clock) as client:
        await posted(client, GOOD, 10)
        assert [line.get("weight", 1) for line in lines(log)] == [1, 1]
        clock.now += sampler.SECOND
        await until(lambda: len(lines(log)) == 3)
        assert [line.get("weight", 1) for line in lines(log)] == [1, 1, 8]

    assert sorted(weights(await payloads(database_url)).values()) == [1, 1, 8]


async def test_slow_requests_are_always_recorded(
    settings: Settings,
    database_url: str,
    log: io.StringIO,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def wait(_root: object, _info: object, key: str) -> bool:
        clock.now += float(key)
        return True

    assert schema._schema.query_type
    monkeypatch.setattr(schema._schema.query_type.fields["featureEnabled"], "resolve", wait)
    monkeypatch.setattr(sampler, "MOST", 2)
    async with served(settings, database_url, clock) as client:
        for seconds in ("0.4", "0.3", "0.2", "1.5", "0.1"):
            await posted(client, BAD | {"variables": {"key": seconds}}, 1)

    assert [(line["duration_ms"], line.get("weight", 1)) for line in lines(log)] == [
        (400, 1),
        (1500, 1),
        (200, 2),
        (100, 1),
    ]


async def test_other_requests_do_not_count_as_operations(
    settings: Settings,
    database_url: str,
    log: io.StringIO,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their lines have weights of their own, and so have those of refused requests."""
    monkeypatch.setattr(sampler, "MOST", 3)
    async with served(settings, database_url, clock) as client:
        for _ in range(10):
            await client.get("/livez")
            await client.get(f"/{SECRET}")
            await client.put("/graphql")
            await posted(client, GOOD, 1)

    found = lines(log)
    served_lines = [line.get("weight", 1) for line in found if "operation" in line]
    other_lines = [line.get("weight", 1) for line in found if "operation" not in line]
    assert (sum(served_lines), len(served_lines)) == (10, 3)
    assert (sum(other_lines), len(other_lines)) == (30, 3)
    assert SECRET not in log.getvalue()


async def test_operations_over_a_websocket_are_recorded_by_weight(
    settings: Settings,
    database_url: str,
    log: io.StringIO,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler, "MOST", 3)
    config = uvicorn_config(settings, Database(database_url))
    app: Any = config.app
    app.state.recorder.clock = clock
    async with running(config) as address, greeted(address) as client:
        for number in range(10):
            await client.answer(f"{number}", GOOD["query"])

    logged = by_id(lines(log, "operation"))
    assert sorted(weights(logged).values()) == [1, 1, 8]
    assert weights(await payloads(database_url)) == weights(logged)


@pytest.mark.usefixtures("_failing")
async def test_a_failed_operation_over_a_websocket_has_its_error(
    settings: Settings, database_url: str, log: io.StringIO, clock: Clock
) -> None:
    config = uvicorn_config(settings, Database(database_url))
    async with running(config) as address, greeted(address) as client:
        await client.ask("1", BAD["query"], variables=BAD["variables"])
        await client.hear()

    (line,) = lines(log, "operation")
    assert (line["error"], line["method"]) == ("INTERNAL_SERVER_ERROR", "WEBSOCKET")
    assert (await payloads(database_url))[line["request_id"]]["error"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("more", [{"request_log": "off"}, {"request_log_sample": 0}])
async def test_a_sample_of_nothing_leaves_the_lines(
    more: dict[str, Any],
    settings: Settings,
    database_url: str,
    log: io.StringIO,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler, "MOST", 3)
    async with served(settings.model_copy(update=more), database_url, clock) as client:
        await posted(client, GOOD, 10)

    assert sum(line.get("weight", 1) for line in lines(log)) == 10
    assert await payloads(database_url) == {}


async def test_dropped_events_are_counted_by_weight(
    settings: Settings,
    database_url: str,
    log: io.StringIO,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sampler, "MOST", 3)
    monkeypatch.setattr(writer, "MAX_ROWS", 0)
    async with served(settings, database_url, clock) as client:
        await posted(client, GOOD, 10)

    assert sum(line["count"] for line in lines(log, "requests not recorded")) == 10


@pytest.mark.parametrize("rate", [10, 150, 250, 1_000, 20_000])
def test_weights_sum_to_the_requests_at_any_rate(rate: int) -> None:
    chosen: list[int] = []
    requests = Sampler[int](lambda _, weight: chosen.append(weight))
    for second in range(10):
        before = len(chosen)
        for moment in sorted(random.random() for _ in range(rate)):  # noqa: S311  no secret
            requests.add(second, second + moment)
        requests.flush_if_over(second + 2)
        requests.flush()
        assert min(rate, sampler.MOST) * 0.6 <= len(chosen) - before <= 2 * sampler.MOST
        assert sum(chosen) == (second + 1) * rate
    assert rate > sampler.MOST or set(chosen) == {1}


def test_no_second_has_more_than_the_most() -> None:
    chosen: list[int] = []
    requests = Sampler[int](lambda second, _: chosen.append(second))
    for second in range(10):
        for moment in range(5_000):
            requests.add(second, second + moment / 5_000)
    requests.flush()

    counts = [chosen.count(second) for second in range(10)]
    assert max(counts) <= sampler.MOST
    assert min(counts[1:]) > sampler.MOST / 2


def test_request_ids_are_new_after_a_fork() -> None:
    known = {new_request_id() for _ in range(1_000)}
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, new_request_id().encode())
        os._exit(0)
    os.waitpid(child, 0)

    forked, own = os.read(reading, 32).decode(), new_request_id()
    os.close(reading)
    os.close(writing)
    assert len(known | {forked, own}) == 1_002
    assert {len(id) for id in known} == {32}
