"""OTLP while its database or its gateway is killed again and again.

Exporters send logs and spans, and send a request again, byte for byte, until it is acknowledged.
Afterwards exactly the acknowledged items are stored, none twice. The control is that of
test_ingest_killed: without keys the same kills store some twice.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx2
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy import select

from db import Database
from db.ai_tests import AiTest
from db.events import Event
from faults.test_ingest_killed import KILLS, History, check
from faults.world import World
from graph import schema  # noqa: F401  names the types of IDs
from graph.core.types.node import global_id
from support.effort import CYCLES
from support.factories import make_dream

CLIENTS = 8  # half of them send logs, half send spans that are tests
ITEMS = 20
HEADERS = {"content-type": "application/x-protobuf"}
Encode = Callable[[list[str]], bytes]


def logs(names: list[str]) -> bytes:
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    for name in names:
        scope.log_records.add(event_name=name, time_unix_nano=time.time_ns())
    return request.SerializeToString()


def spans_of(dream: str) -> Encode:
    def encode(names: list[str]) -> bytes:
        request = ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for name in names:
            span = scope.spans.add(
                trace_id=random.randbytes(16),  # noqa: S311  no secret
                span_id=b"12345678",
                start_time_unix_nano=time.time_ns(),
            )
            values = {"dreamnet.dream.id": dream, "gen_ai.provider.name": "fault"}
            for key, value in (values | {"gen_ai.request.model": name}).items():
                span.attributes.add(key=key).value.string_value = value
        return request.SerializeToString()

    return encode


@asynccontextmanager
async def load(world: World, history: History, dream: str) -> AsyncIterator[None]:
    """Exporters at work; at the end each one brings its last request to an end."""
    kinds: list[tuple[str, Encode]] = [("/v1/logs", logs), ("/v1/traces", spans_of(dream))]
    clients = [
        asyncio.create_task(_export(world, history, n, *kinds[n % 2])) for n in range(CLIENTS)
    ]
    try:
        yield
    finally:
        history.stopping = True
        await asyncio.gather(*clients)


async def _export(world: World, history: History, number: int, path: str, encode: Encode) -> None:
    batch = 0
    async with httpx2.AsyncClient(base_url=world.address, timeout=20) as client:
        while not history.stopping:
            names = [f"{number}-{batch}-{n}" for n in range(ITEMS)]
            history.sent.update(names)
            await _insist(client, path, encode(names))
            await history.acknowledge(names)
            batch += 1


async def _insist(client: httpx2.AsyncClient, path: str, body: bytes) -> None:
    """Send a request until it is acknowledged."""
    while True:
        try:
            answer = await client.post(path, content=body, headers=HEADERS)
        except httpx2.TransportError:
            continue
        if answer.status_code == 200:
            assert answer.content == b"", answer.content  # no item is refused
            return
        assert answer.status_code in (429, 503), answer.content
        assert answer.headers["retry-after"]
        await asyncio.sleep(0.02)


async def stored(world: World) -> Counter[str]:
    """How often each item is stored."""
    database = Database(world.url)
    events = select(Event.event_type).where(Event.source == "unknown_service")
    async with database.unrestricted().read() as session:
        found = [*await session.rows(events), *await session.rows(select(AiTest.model))]
    await database.close()
    return Counter(name for (name,) in found)


async def made_dream(world: World) -> str:
    database = Database(world.url)
    async with database.write() as session:
        dream = global_id(await make_dream(session))
    await database.close()
    return str(dream)


@pytest.mark.parametrize("kill", KILLS, ids=["database", "gateway"])
async def test_an_acknowledged_item_is_stored_once(
    world: World, kill: Callable[[World], Awaitable[None]]
) -> None:
    dream = await made_dream(world)
    history, chance = History(keyed=True), random.Random(7)  # noqa: S311  no secret
    async with load(world, history, dream):
        for _ in range(CYCLES):
            await history.grown(by=chance.randint(300, 900))
            await kill(world)
        await history.grown(by=300)
    assert history.sent == history.acknowledged
    check(history, await stored(world))
