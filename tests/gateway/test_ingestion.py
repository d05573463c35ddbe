"""Ingestion over HTTP: the status of refusals; acknowledged rows outlive the gateway."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select
from starlette.applications import Starlette

from db import Database
from db.core.ingest import writer
from db.events import Event
from gateway.settings import Settings

EVENT = '{eventType: "deployed", source: "ci"}'
ONE = f"mutation {{ logEvent(input: {EVENT}) {{ storedId }} }}"


MANY = """mutation ($input: LogEventsInput!) {
  logEvents(input: $input) {
    storedCount refused { index errors { code message field } }
  }
}"""
POISON: dict[int, tuple[dict[str, Any], str, list[str]]] = {
    3: (
        {"payload": {"text": "a\0b"}},
        "This JSON contains the character U+0000, which cannot be stored.",
        ["events", "3", "payload"],
    ),
    20: (
        {"timestamp": "1970-01-01T00:00:00Z"},
        "The time must be between ten years ago and five minutes from now.",
        ["events", "20", "timestamp"],
    ),
    50: (
        {"severity": "FATAL"},
        "This must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL.",
        ["events", "50", "severity"],
    ),
    99: (
        {"payload": {"text": "x" * 1024 * 1024}},
        "An item may have at most 100,000 bytes as JSON.",
        ["events", "99"],
    ),
}


@pytest.fixture
def settings() -> Settings:
    """Those of development, with the limits that it has by default."""
    return Settings(_env_file=None)


async def ask(client: httpx2.AsyncClient, query: str, **variables: Any) -> httpx2.Response:
    return await client.post("/graphql", json={"query": query, "variables": variables})


async def test_a_full_lane_is_429(
    client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_ROWS", 0)
    answer = await ask(client, ONE)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    (error,) = answer.json()["errors"]
    assert error["extensions"]["code"] == "RATE_LIMITED"
    assert error["extensions"]["retryAfterMs"] == 50
    assert "data" not in answer.json()


async def test_acknowledged_rows_outlive_the_gateway(app: Starlette, database_url: str) -> None:
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client,
    ):
        answers = await asyncio.gather(*(ask(client, ONE) for _ in range(20)))
    assert [set(answer.json()) for answer in answers] == [{"data"}] * 20
    assert await stored(database_url) == 20


async def test_poison_refuses_only_itself(client: httpx2.AsyncClient, database_url: str) -> None:
    events = [{"eventType": "deployed", "source": f"ci-{n}"} for n in range(100)]
    for n, (poison, _, _) in POISON.items():
        events[n] |= poison
    answer = await ask(client, MANY, input={"events": events})
    refused = [
        {"index": n, "errors": [{"code": "INVALID", "message": message, "field": field}]}
        for n, (_, message, field) in POISON.items()
    ]
    assert answer.status_code == 200
    assert answer.json() == {"data": {"logEvents": {"storedCount": 96, "refused": refused}}}
    sound = {f"ci-{n}" for n in range(100) if n not in POISON}
    assert await sources(database_url) == sound


async def sources(url: str) -> set[str]:
    database = Database(url)
    async with database.read() as session:
        rows = await session.rows(select(Event.source).where(Event.event_type == "deployed"))
    await database.close()
    return {source for (source,) in rows}


async def stored(url: str) -> Any:
    database = Database(url)
    async with database.read() as session:
        count = await session.scalar(select(func.count()).select_from(Event))
    await database.close()
    return count
