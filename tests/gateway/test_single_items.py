"""Stored items: mutations that store one item are answered after the commit, as on the ordinary
way."""

import re
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import orjson
import pytest
from sqlalchemy import make_url, select

from db import Database
from db.agents import AgentReport
from db.core.ingest import writer
from db.users import Role
from gateway.settings import Settings
from gateway.transport.executor import Executor
from support.executors import needs_plans
from support.factories import make_user
from support.gateways import make_key, production
from support.raw_http import Response, connected, request
from support.running_gateway import Served, serving

REPORT = """mutation Report($key: String!, $status: AgentStatus!, $task: JSON) {
  reportAgentStatus(input: {agentKey: $key, status: $status, currentTask: $task}) {
    storedId
    errors { message field }
  }
}"""
pytestmark = needs_plans  # on the ordinary way, graphql-core calls the resolver
LIMIT = "query Costs { rateLimit { remaining } }"
VALID = {"key": "agent-1", "status": "RUNNING", "task": {"step": 1}}
CHANGING = re.compile(rb'"requestId":"[^"]*"|agent_report_[0-9a-f]{32}')


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(writer, "DEADLINE_SECONDS", 2)
    return production(drain_seconds=0, spread_seconds=0, short_path="on")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each mutation that came the short way was stored without being executed."""
    noted: list[bool] = []
    store = Executor.store

    def noting(*given: Any) -> bool:
        noted.append(store(*given))
        return noted[-1]

    monkeypatch.setattr(Executor, "store", noting)
    return noted


@pytest.fixture
async def served(
    database: Database, settings: Settings, stored: list[bool]
) -> AsyncIterator[Served]:
    async with serving(settings, database) as served:
        yield served


@pytest.fixture
async def ordinary(database_url: str, settings: Settings) -> AsyncIterator[Served]:
    off = settings.model_copy(update={"short_path": "off"})
    async with serving(off, Database(database_url)) as served:
        yield served


@pytest.fixture
async def key(database: Database, settings: Settings) -> str:
    user = await make_user(database, role=Role.OPERATOR)
    return (await make_key(database, settings, user_id=user.id)).text


async def send(served: Served, credential: str, query: str = REPORT, **variables: Any) -> Response:
    content = {"query": query, "variables": variables}
    async with connected(served.port) as connection:
        await connection.send(request(content, {"authorization": f"Bearer {credential}"}))
        return await connection.response()


def comparable(response: Response) -> tuple[int, bytes]:
    return response.status, CHANGING.sub(b"", response.body)


async def warm(served: Served, key: str, stored: list[bool]) -> None:
    await send(served, key, **VALID)
    stored.clear()


async def test_an_item_is_stored_before_its_answer(
    served: Served, key: str, stored: list[bool], database: Database
) -> None:
    await warm(served, key, stored)
    response = await send(served, key, **VALID | {"key": "agent-2"})

    assert stored == [True]
    answer = orjson.loads(response.body)["data"]["reportAgentStatus"]
    async with database.read() as session:
        ids = await session.rows(select(AgentReport.id).where(AgentReport.agent_key == "agent-2"))
    assert [answer["storedId"][-32:]] == [id.hex for (id,) in ids]
    assert answer["errors"] == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"key": ""},
        {"key": 300 * "x"},
        {"key": None},
        {"status": "NONE"},
        {"status": 7},
        {"task": [1]},
        {"task": "text"},
        {"task": None},
        {"task": {"secret": "sk-" + "a" * 40}},
        {"more": 1},
    ],
    ids=str,
)
async def test_items_are_answered_alike(
    served: Served, ordinary: Served, key: str, stored: list[bool], change: dict[str, Any]
) -> None:
    await warm(served, key, stored)
    expected = await send(ordinary, key, **VALID | change)
    assert comparable(await send(served, key, **VALID | change)) == comparable(expected)


async def test_a_rejected_item_is_reported_once(
    served: Served, ordinary: Served, key: str, stored: list[bool], database_url: str
) -> None:
    await warm(served, key, stored)
    await send(ordinary, key, **VALID)
    await refuse_writes(database_url)

    expected, found = await refused(ordinary, key), await refused(served, key)

    assert set(stored) == {True}
    assert b"DATABASE_READ_ONLY" in found.body
    assert comparable(found) == comparable(expected)


async def test_an_item_is_charged_once(served: Served, key: str, stored: list[bool]) -> None:
    await warm(served, key, stored)
    before = orjson.loads((await send(served, key, LIMIT)).body)["data"]["rateLimit"]["remaining"]
    for _ in range(3):
        await send(served, key, **VALID)
    after = orjson.loads((await send(served, key, LIMIT)).body)["data"]["rateLimit"]["remaining"]
    assert stored == [True] * 3
    assert before - after == 3 + 1  # and one for the second look


async def refused(gateway: Served, key: str) -> Response:
    """The response, once the gateway has noticed that its connections were ended."""
    while b"SERVICE_UNAVAILABLE" in (response := await send(gateway, key, **VALID)).body:
        pass
    return response


async def refuse_writes(url: str) -> None:
    """From now on, in sessions of this database that begin then; the others are ended."""
    connection = await asyncpg.connect(url)
    name = make_url(url).database
    await connection.execute(f'alter database "{name}" set default_transaction_read_only = on')
    await connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()
