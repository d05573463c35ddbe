"""Health: of a working database, and of one that is gone, stuck or too old."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import asyncpg
import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from db import Database
from db.core.embedded import Embedded
from db.core.schema import health, migrate
from faults.followers import STATUS, Dashboard, following, websocket
from gateway.app import create_app
from gateway.settings import Settings
from support.query_count import statements

UNFOLLOWED = {"lagMs": None, "lateRows": 0, "resets": {}}
GONE = {"ok": False, "error": "no answer within 1 s"}


@pytest.fixture
async def cut_off(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose database is not there."""
    app = create_app(settings, Database("postgresql://nobody@127.0.0.1:1/nothing"))
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


async def test_all_is_well(client: httpx2.AsyncClient) -> None:
    response = await client.get("/health")
    report = response.json()
    assert response.status_code == 200
    assert report["uptime"] >= 0
    assert report["timestamp"].endswith("Z")
    assert report["database"].pop("latencyMs") > 0
    del report["uptime"], report["timestamp"]
    assert report == {
        "ok": True,
        "service": "dreamnet-gateway",
        "database": {"ok": True, "readOnly": False},
        "streams": 0,
        "feeds": dict.fromkeys(("agents", "events", "metrics", "changes"), UNFOLLOWED),
    }


async def test_health_counts_subscribers(address: str) -> None:
    follower = Dashboard(STATUS, websocket)
    async with following(address, [follower]), httpx2.AsyncClient(timeout=20) as http:
        report = (await http.get(f"{address}/health")).json()

    assert report["streams"] == 1
    assert 0 <= report["feeds"]["agents"].pop("lagMs") < 10_000
    assert report["feeds"]["agents"] == {"lateRows": 0, "resets": {}}
    assert report["feeds"]["events"] == UNFOLLOWED


async def test_ready(client: httpx2.AsyncClient) -> None:
    response = await client.get("/api/health/ready")
    checks = dict.fromkeys(("database", "migrations", "statements", "serving", "writable"), True)
    expected = {"ok": True, "state": "ready", "checks": checks}
    assert (response.status_code, response.json()) == (200, expected)


async def test_no_database(cut_off: httpx2.AsyncClient) -> None:
    whole, ready = await cut_off.get("/health"), await cut_off.get("/api/health/ready")
    assert (whole.status_code, whole.json()["ok"], whole.json()["database"]) == (503, False, GONE)
    checks = dict.fromkeys(("database", "migrations", "statements", "writable"), False)
    checks |= {"serving": True}
    expected = {"ok": False, "state": "not-ready", "checks": checks}
    assert (ready.status_code, ready.json()) == (503, expected)


async def test_alive_without_a_database(cut_off: httpx2.AsyncClient) -> None:
    response = await cut_off.get("/livez")
    assert (response.status_code, response.json()) == (200, {"ok": True})


@pytest.mark.parametrize(
    ("revision", "ready"), [("0001", False), ("of-a-later-release", True)], ids=["old", "new"]
)
async def test_ready_with_tables_of_a_later_version_and_not_of_an_earlier_one(
    client: httpx2.AsyncClient, database: Database, revision: str, ready: bool
) -> None:
    """While gateways are replaced one by one, those that still run must not all be left out."""
    async with database.write() as session:
        later = text("update dreamnet_version set version_num = :revision")
        await session.execute(later, {"revision": revision})
    response = await client.get("/api/health/ready")
    assert response.json()["checks"]["migrations"] is ready
    assert response.status_code == (200 if ready else 503)


async def test_not_ready_without_tables(client: httpx2.AsyncClient, database_url: str) -> None:
    await migrate.downgrade(database_url, "base")
    response = await client.get("/api/health/ready")
    assert (response.status_code, response.json()["checks"]["migrations"]) == (503, False)


async def test_not_ready_once_stopping(settings: Settings, database: Database) -> None:
    app = create_app(settings, database)
    transport = httpx2.ASGITransport(app)
    async with app.router.lifespan_context(app):
        pass
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get("/api/health/ready")
    assert (response.status_code, response.json()["checks"]["serving"]) == (503, False)


async def test_a_database_that_hangs_costs_one_second(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0)
    with Embedded(tmp_path, {"fsync": "off"}) as url:
        database = Database(url)
        transport = httpx2.ASGITransport(create_app(settings, database))
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/health")).status_code == 200
            with stuck(tmp_path):
                began = monotonic()
                response = await client.get("/health")
                assert (response.status_code, response.json()["database"]) == (503, GONE)
                assert monotonic() - began < 2
        await database.close()


async def test_checks_need_no_connection_of_the_requests(
    settings: Settings, database_url: str
) -> None:
    database = Database(database_url, pool_size=1)
    app = create_app(settings, database)
    transport = httpx2.ASGITransport(app)
    async with (
        httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client,
        database.write() as session,
    ):
        await session.execute(text("lock table dreams, users in access exclusive mode"))
        assert (await client.get("/api/health/ready")).status_code == 200
        assert (await client.get("/health")).status_code == 200
    await app.state.health.probe.close()
    await database.close()


async def test_checks_within_a_second_are_shared(
    app: Starlette, client: httpx2.AsyncClient
) -> None:
    paths = ["/api/health/ready", "/health"] * 20
    with statements(app.state.health.probe.own, at_most=3):
        answers = await asyncio.gather(*(client.get(path) for path in paths))
    assert {answer.status_code for answer in answers} == {200}


async def test_a_server_without_connections_left_is_asked_over_those_of_the_pool(
    settings: Settings, tmp_path: Path
) -> None:
    with Embedded(tmp_path, {"fsync": "off", "max_connections": "5"}) as url:
        await migrate.upgrade(url)
        database = Database(url)
        app = create_app(settings, database)
        async with database.read() as session:
            await session.scalar(text("select 1"))
        others = [await asyncpg.connect(url) for _ in range(4)]
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert (await client.get("/api/health/ready")).status_code == 200
        await asyncio.gather(*(other.close() for other in others))
        await database.close()


@contextmanager
def stuck(folder: Path) -> Iterator[None]:
    """All processes of the server in that folder stand still."""
    processes = _processes(Embedded(folder).server.pid)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def _processes(pid: int | None) -> list[int]:
    assert pid is not None
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [pid, *map(int, listed.split())]
