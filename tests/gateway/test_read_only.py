"""A database that takes no writes: reads go on, and writes succeed once it takes them again."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx2
import pytest
from sqlalchemy import make_url
from starlette.applications import Starlette
from structlog.testing import capture_logs

from db import Database
from db.core.ingest import writer
from db.core.schema import health
from db.users import Role
from gateway.settings import Settings
from support.factories import make_user
from support.gateways import ask, gateway, make_key, production
from support.maintenance import attempt_all

CREATE = """mutation {
  createDream(input: {title: "Fly", description: "Far", category: OTHER}) { __typename }
}"""
REPORT = """mutation {
  reportAgentStatus(input: {agentKey: "a", status: RUNNING}) { __typename }
}"""
REPORTS = """mutation {
  reportAgentStatuses(
    input: {reports: [{agentKey: "a", status: "RUNNING"}, {agentKey: "b", status: "NONE"}]}
  ) {
    storedCount refused { errors { code message } }
  }
}"""
MESSAGE = "The database is read-only at the moment; nothing was stored, try again later."


@pytest.fixture
def settings() -> Settings:
    return production()


@pytest.fixture
async def app(settings: Settings, database: Database) -> AsyncIterator[Starlette]:
    """A gateway, which is started."""
    app = gateway(settings, database)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0)
    monkeypatch.setattr(writer, "DEADLINE_SECONDS", 0.5)


async def set_read_only(url: str, to: str) -> None:
    """For sessions that begin from now on; ends all there are."""
    connection = await asyncpg.connect(
        url, server_settings={"default_transaction_read_only": "off"}
    )
    name = make_url(url).database
    await connection.execute(f'alter database "{name}" set default_transaction_read_only = {to}')
    if to == "on":
        await connection.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
    await connection.close()


async def get(app: Starlette, path: str) -> tuple[int, Any]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        response = await client.get(path)
        return response.status_code, response.json()


async def test_a_failover_to_a_standby_and_back(
    app: Starlette, settings: Settings, database: Database, database_url: str
) -> None:
    admin = await make_user(database, role=Role.ADMIN)
    key = (await make_key(database, settings, user_id=admin.id)).text
    await set_read_only(database_url, "on")

    for mutation in (CREATE, REPORT):
        refused = await ask(app, key, mutation)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        (error,) = refused.json()["errors"]
        assert (error["message"], error["extensions"]["code"]) == (MESSAGE, "DATABASE_READ_ONLY")
    batch = (await ask(app, key, REPORTS)).json()["data"]["reportAgentStatuses"]
    codes = [error["code"] for each in batch["refused"] for error in each["errors"]]
    assert (batch["storedCount"], codes) == (0, ["DATABASE_READ_ONLY", "INVALID"])
    assert "errors" not in (await ask(app, key)).json()
    status, ready = await get(app, "/api/health/ready")
    assert (status, ready["ok"], ready["state"]) == (200, True, "read-only")
    assert ready["checks"] == {
        "database": True,
        "migrations": True,
        "statements": True,
        "serving": True,
        "writable": False,
    }
    status, whole = await get(app, "/health")
    assert (status, whole["ok"], whole["database"]["readOnly"]) == (503, False, True)

    await set_read_only(database_url, "off")
    for mutation in (CREATE, REPORT, CREATE) * 5:
        answer = await ask(app, key, mutation)
        assert answer.status_code == 200, answer.text
    assert (await get(app, "/api/health/ready"))[1]["state"] == "ready"
    assert (await get(app, "/health"))[0] == 200


async def test_failed_maintenance_is_logged_with_its_reason(
    database: Database, database_url: str
) -> None:
    await set_read_only(database_url, "on")
    with capture_logs() as logs:
        attempts = await attempt_all(database)
    assert not attempts["partitions could not be created"]
    assert {line.get("error") for line in logs} == {MESSAGE}
    assert {line["log_level"] for line in logs} == {"warning"}
    await set_read_only(database_url, "off")
    assert all((await attempt_all(database)).values())
