"""Ingestion over HTTP: the status of a refusal; what was acknowledged outlives the gateway."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from db import Database
from db.core import ingest
from db.events import Event

EVENT = '{eventType: "deployed", source: "ci"}'
ONE = f"mutation {{ logEvent(input: {EVENT}) {{ ... on Stored {{ id }} }} }}"


async def ask(client: httpx2.AsyncClient, query: str) -> httpx2.Response:
    return await client.post("/graphql", json={"query": query})


async def test_a_full_lane_is_429(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "MAX_ROWS", 0)
    answer = await ask(client, ONE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfterMs"] == 50
    assert "data" not in answer.json()


async def test_what_was_acknowledged_outlives_the_gateway(
    app: Starlette, database_url: str
) -> None:
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        answers = await asyncio.gather(*(ask(client, ONE) for _ in range(20)))
    assert [set(answer.json()) for answer in answers] == [{"data"}] * 20
    assert await stored(database_url) == 20


async def stored(url: str) -> Any:
    database = Database(url)
    async with database.read() as session:
        count = await session.scalar(select(func.count()).select_from(Event))
    await database.close()
    return count
