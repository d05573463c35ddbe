"""`GET /export/…` on a socket: clients that lose their key, read slowly, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from db import Database, api_keys
from db.users import Role
from gateway.protocols import slow_clients
from support.factories import make_user
from support.gateways import make_key, production
from support.running_gateway import Served, serving
from support.stalled_clients import narrow
from support.wait import until

ROWS = 30_000
FILL = """
insert into performance_metrics (id, metric_name, value, tags, timestamp)
select cast(lpad(to_hex(cast(extract(epoch from at) * 1000 as bigint)), 12, '0') || '7000'
            || '8' || lpad(to_hex(n), 15, '0') as uuid),
       'cpu', n, jsonb_build_object('host', repeat('x', 300)), at
from generate_series(1, :rows) as n, lateral (select now() - interval '1 minute' as at) as at
"""
END = b"0\r\n\r\n"  # of a whole body
LARGEST = 1024 * 1024  # bytes that wait for a client that does not read


@pytest.fixture
async def key(database: Database) -> Any:
    """That of an operator, who may export 12 MB of metrics."""
    async with database.write() as session:
        await session.execute(text(FILL), {"rows": ROWS})
    user = await make_user(database, role=Role.OPERATOR)
    return await make_key(database, production(), user_id=user.id)


@pytest.fixture
async def served(database: Database) -> AsyncIterator[Served]:
    settings = production(drain_seconds=0, spread_seconds=0)
    async with serving(settings, database) as served:
        yield served


def request(key: Any) -> bytes:
    lines = "GET /export/metrics HTTP/1.1", "host: localhost", f"authorization: Bearer {key.text}"
    return "\r\n".join([*lines, "", ""]).encode()


@asynccontextmanager
async def begun(served: Served, key: Any) -> AsyncIterator[asyncio.StreamReader]:
    """A client that read the head of the response and nothing else."""
    reader, writer = await asyncio.open_connection(sock=narrow(served.port), limit=2**12)
    try:
        writer.write(request(key))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        yield reader
    finally:
        writer.close()


def waiting(served: Served) -> int:
    """Bytes that the gateway holds for clients."""
    connections = served.server.server_state.connections
    return sum(each.transport.get_write_buffer_size() for each in connections)


async def revoke(database: Database, key: Any) -> None:
    async with database.write() as session:
        await api_keys.writes.revoke(session, key.record.prefix)


async def test_an_export_ends_with_its_key(served: Served, key: Any, database: Database) -> None:
    async with begun(served, key) as reader, asyncio.timeout(30):
        await revoke(database, key)
        received = 0
        while served.streams:  # read the rest slowly
            received += len(await reader.read(2**12))
            await asyncio.sleep(0.01)
        rest = await reader.read()
    assert 0 < received + len(rest) < ROWS * 300
    assert not rest.endswith(END)


async def test_an_export_ends_with_its_key_for_a_client_that_does_not_read(
    served: Served, key: Any, database: Database
) -> None:
    async with begun(served, key):
        await revoke(database, key)
        await until(lambda: served.streams == 0)


async def test_a_third_export_is_asked_to_come_later(served: Served, key: Any) -> None:
    headers = {"authorization": f"Bearer {key.text}"}
    async with (
        httpx2.AsyncClient(base_url=served.address, headers=headers) as client,
        begun(served, key),
    ):
        async with begun(served, key):
            third = await client.get("/export/metrics")
        assert third.status_code == 503
        assert int(third.headers["retry-after"]) > 0
        await until(lambda: served.streams == 1)
        assert (await client.get("/export/metrics")).text.count("\n") == ROWS


async def test_a_client_that_does_not_read_is_disconnected(
    served: Served, key: Any, monkeypatch: pytest.MonkeyPatch, log: list[Any]
) -> None:
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 1.0)
    largest = 0
    async with begun(served, key), asyncio.timeout(20):
        while served.streams:
            largest = max(largest, waiting(served))
            await asyncio.sleep(0.01)
    assert 0 < largest < LARGEST
    assert "export interrupted" in [line["event"] for line in log]


async def test_a_slow_client_gets_every_row_from_little_memory(
    served: Served, key: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_clients, "STALLED_SECONDS", 1.0)
    largest, received, tail = 0, 0, b""
    async with begun(served, key) as reader, asyncio.timeout(30):
        while not tail.endswith(END):
            chunk = await reader.read(2**17)
            largest = max(largest, waiting(served))
            received, tail = received + len(chunk), (tail + chunk)[-len(END) :]
    assert received > ROWS * 300
    assert largest < LARGEST
