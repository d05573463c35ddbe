"""Replicas: which reads a standby serves, and which the primary, through a gateway in production.

What a standby shows tells who answered: its replay is paused, so it lacks the newest rows.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import httpx2
import pytest

from db import Database
from db.core.connections.url import connection_info
from db.core.embedded import Embedded
from db.core.schema import migrate
from db.users import Role
from graph.core.types.field import metadata_of
from graph.schema import schema
from support.factories import make_user
from support.gateways import gateway, make_key, production
from support.standby import Standby, with_standby
from support.wait import until

DOCUMENT = Path(__file__).parents[2] / "docs" / "operations.md"
EVENTS = "query ($source: [String!]) { eventCounts(sources: $source) { rows { count } } }"
LISTED = "query ($source: [String!]) { events(filter: {source: {in: $source}}) { totalCount } }"
MIXED = (
    "query ($source: [String!]) { viewer { role } "
    "events(filter: {source: {in: $source}}) { totalCount } }"
)
LOG = """mutation ($source: String!) { logEvent(input: {eventType: "test", source: $source}) {
  errors { code } } }"""


class Servers(NamedTuple):
    url: str
    primary: Embedded
    standby: Standby


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with with_standby(tmp_path_factory.mktemp("servers")) as made:
        yield Servers(*made)


@pytest.fixture
async def primary(servers: Servers) -> AsyncIterator[Database]:
    await migrate.upgrade(connection_info(servers.url))
    database = Database(servers.url)
    yield database
    await database.close()


class Callers:
    """Callers with keys, of a gateway with replicas; all log and count events of one source."""

    def __init__(self, http: httpx2.AsyncClient, keys: dict[str, str]) -> None:
        self.http = http
        self.keys = keys
        self.source = uuid4().hex

    async def ask(self, who: str, query: str, **variables: object) -> Any:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        body = {"query": query, "variables": variables}
        answer = (await self.http.post("/graphql", json=body, headers=headers)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def log(self) -> None:
        data = await self.ask("writer", LOG, source=self.source)
        assert data == {"logEvent": {"errors": []}}

    async def counted(self, who: str) -> int:
        rows = (await self.ask(who, EVENTS, source=[self.source]))["eventCounts"]["rows"]
        return sum(int(row["count"]) for row in rows)

    async def listed(self, who: str, query: str = LISTED) -> int:
        data = await self.ask(who, query, source=[self.source])
        return int(data["events"]["totalCount"])

    async def exported(self, who: str) -> int:
        where = json.dumps({"source": {"eq": self.source}})
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        given = {"where": where, "format": "jsonl"}
        answer = await self.http.get("/export/events", params=given, headers=headers)
        assert answer.status_code == 200, answer.text
        return len(answer.text.splitlines())

    async def replicas(self) -> list[bool]:
        return [each["ok"] for each in (await self.http.get("/health")).json()["replicas"]]


@asynccontextmanager
async def calling(
    primary: Database, servers: Servers, url: str | None = None, **more: Any
) -> AsyncIterator[Callers]:
    """Callers, once the standby has their keys."""
    settings = production(replica_urls=url or servers.standby.url, **more)
    owner = (await make_user(primary, role=Role.OPERATOR)).id
    scopes: dict[str, list[str]] = {"writer": [], "reader": ["events:read"]}
    keys = {
        name: (await make_key(primary, settings, user_id=owner, scopes=given)).text
        for name, given in scopes.items()
    }
    app = gateway(settings, Database(servers.url))
    transport = httpx2.ASGITransport(app)
    await servers.standby.has_replayed(servers.primary)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as http,
    ):
        yield Callers(http, keys)


@pytest.fixture
async def callers(primary: Database, servers: Servers) -> AsyncIterator[Callers]:
    async with calling(primary, servers, replica_max_late_seconds=60) as callers:
        yield callers


async def test_who_writes_sees_it_and_who_only_reads_may_see_it_later(
    callers: Callers, servers: Servers
) -> None:
    await callers.log()
    await servers.standby.has_replayed(servers.primary)
    with servers.standby.paused():
        await callers.log()
        assert [await callers.counted("reader"), await callers.counted("writer")] == [1, 2]
        assert [await callers.listed("reader"), await callers.listed("writer")] == [1, 2]
        assert [await callers.exported("reader"), await callers.exported("writer")] == [1, 2]
    await servers.standby.has_replayed(servers.primary)
    assert await callers.counted("reader") == 2


async def test_a_query_with_another_field_is_read_from_the_primary(
    callers: Callers, servers: Servers
) -> None:
    with servers.standby.paused():
        await callers.log()
        assert [await callers.listed("reader"), await callers.listed("reader", MIXED)] == [0, 1]


async def test_a_standby_that_is_late_is_left_out(primary: Database, servers: Servers) -> None:
    async with calling(primary, servers, replica_max_late_seconds=0) as callers:
        with servers.standby.paused():
            await callers.log()
            assert await callers.listed("reader") == 1
            assert await callers.replicas() == [False]


async def test_each_write_is_seen_beside_a_standby_two_seconds_late(
    callers: Callers, servers: Servers
) -> None:
    servers.standby.delay(2)
    try:
        for number in range(1, 6):
            await callers.log()
            assert await callers.counted("writer") == number
            assert await callers.listed("writer") == number
            assert await callers.counted("reader") <= number
    finally:
        servers.standby.delay(0)


async def test_a_dead_standby_leaves_and_returns_by_itself(
    callers: Callers, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.core.session.replicas.AWAY_SECONDS", 0.1)
    await callers.log()
    await servers.standby.has_replayed(servers.primary)
    assert await callers.listed("reader") == 1
    servers.standby.kill()
    await callers.log()
    assert [await callers.listed("reader"), await callers.listed("writer")] == [2, 2]
    assert await callers.replicas() == [False]
    servers.standby.server.run()

    async def serves() -> bool:
        assert await callers.listed("reader") == 2
        return await callers.replicas() == [True]

    await until(serves)


def test_the_document_lists_the_fields_that_replicas_serve() -> None:
    listed = DOCUMENT.read_text().split("<!-- stale_ok -->")[1].split("<!-- end -->")[0]
    fields = schema._schema.query_type.fields.items()
    declared = [name for name, field in fields if metadata_of(field).get("stale_ok")]
    assert sorted(declared) == [name.strip("`") for name in listed.split()]


async def test_a_primary_is_no_replica(primary: Database, servers: Servers) -> None:
    async with calling(primary, servers, url=servers.url) as callers:
        await callers.log()
        assert [await callers.listed("reader"), await callers.listed("writer")] == [1, 1]
        assert await callers.replicas() == [False]
