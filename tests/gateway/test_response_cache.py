"""The response cache: kept results are those that would be computed now, for each caller and
through each gateway, in production and with keys."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette

from db import Database
from db.ai_tests import AiTest
from db.dreams import Dream
from db.feeds import CHANGES, reset_subscribers
from db.progress import ProgressLog
from db.users import Role
from gateway.app import create_app
from graph.core.execution.answers import Answers
from graph.core.execution.operation import prepare
from graph.core.types.field import metadata_of
from graph.core.types.node import global_id
from graph.schema import schema
from support.factories import make_dream, make_user
from support.gateways import make_key, production
from support.query_count import statements

MODELS = "{ modelComparison { rows { model testCount } } }"
OTHERS = "{ categoryPerformance { rows { category testCount } } spend { rows { testCount } } }"
RECORD = """mutation ($dream: ID!, $model: String!) { recordAiTest(input: {
  dreamId: $dream, provider: "p", model: $model, status: COMPLETED, impossibilityScore: 50
}) { errors { code message } } }"""
PUBLISH = "mutation ($id: ID!) { publishDream(input: {id: $id}) { errors { code } } }"
EDIT = """mutation ($id: ID!) {
  editUser(input: {id: $id, email: "ada@example.org"}) { errors { code } }
}"""
SECONDS = 3600


class Clients:
    """Callers of gateways over one database, each with results of its own."""

    def __init__(self, apps: list[Starlette], https: list[httpx2.AsyncClient]) -> None:
        self.apps = apps
        self.https = https
        self.keys: dict[str, str] = {}
        self.users: dict[str, Any] = {}
        self.now = 0.0

    def answers(self, gateway: int = 0) -> Answers:
        found: Answers = self.apps[gateway].state.answers
        return found

    async def ask(self, who: str, query: str = MODELS, gateway: int = 0, **variables: Any) -> Any:
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        body = {"query": query, "variables": variables}
        response = await self.https[gateway].post("/graphql", json=body, headers=headers)
        answer = response.json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def counted(self, who: str, gateway: int = 0) -> dict[str, int]:
        rows = (await self.ask(who, gateway=gateway))["modelComparison"]["rows"]
        return {row["model"]: int(row["testCount"]) for row in rows}

    async def record(self, who: str, dream: Dream, model: str = "m", gateway: int = 0) -> None:
        data = await self.ask(who, RECORD, gateway, dream=global_id(dream), model=model)
        assert data == {"recordAiTest": {"errors": []}}


@asynccontextmanager
async def serving(database: Database, gateways: int) -> AsyncIterator[Clients]:
    settings = production(response_cache_bytes=10_000_000)
    async with AsyncExitStack() as stack:
        apps = [create_app(settings, Database(database.url)) for _ in range(gateways)]
        clients = Clients(apps, [])
        for app in apps:
            app.state.answers.clock = lambda: clients.now
            await stack.enter_async_context(app.router.lifespan_context(app))
            client = httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app), base_url="http://127.0.0.1:8000"
            )
            clients.https.append(await stack.enter_async_context(client))
        for name, role in (("ada", Role.MEMBER), ("bob", Role.MEMBER), ("op", Role.OPERATOR)):
            user = clients.users[name] = await make_user(database, role=role)
            clients.keys[name] = (await make_key(database, settings, user_id=user.id)).text
        yield clients


@pytest.fixture
async def clients(database: Database) -> AsyncIterator[Clients]:
    async with serving(database, 2) as clients:
        yield clients


@pytest.fixture
async def dream(clients: Clients, database: Database) -> Dream:
    """Public, of Ada."""
    return await make_dream(database, user_id=clients.users["ada"].id, is_public=True)


async def test_a_kept_result_costs_one_short_statement(
    clients: Clients, dream: Dream, database: Database
) -> None:
    await clients.record("ada", dream)
    first = await clients.ask("ada", OTHERS.replace("spend", "again: categoryPerformance"))
    assert await clients.counted("ada") == {"m": 1}
    own = clients.apps[0].state.health.probe.database
    with statements(own, exactly=1) as seen:
        assert await clients.counted("ada") == {"m": 1}
    assert "pending_changes" in seen[0]
    again = await clients.ask("ada", OTHERS.replace("spend", "again: categoryPerformance"))
    assert first == again
    assert (clients.answers().hits, clients.answers().misses) == (2, 2)


async def test_who_writes_sees_it_at_once_through_any_gateway(
    clients: Clients, dream: Dream
) -> None:
    for count in range(1, 6):
        await clients.record("ada", dream, gateway=count % 2)
        assert [await clients.counted("ada", gateway) for gateway in (0, 1, 0)] == [
            {"m": count}
        ] * 3


async def test_other_changes_leave_results(clients: Clients, dream: Dream) -> None:
    await clients.record("ada", dream)
    await clients.counted("op")
    edited = await clients.ask("op", EDIT, id=global_id(clients.users["ada"]))
    assert edited == {"editUser": {"errors": []}}
    await clients.counted("op")
    assert clients.answers().hits == 1


async def test_each_caller_gets_what_it_may_see(
    clients: Clients, dream: Dream, database: Database
) -> None:
    hidden = await make_dream(database, user_id=clients.users["bob"].id, is_public=False)
    await clients.record("ada", dream)
    await clients.record("bob", hidden, "secret")
    for _ in range(2):
        assert await clients.counted("ada") == {"m": 1}
        assert await clients.counted("bob") == {"m": 1, "secret": 1}
        assert await clients.counted("op") == {"m": 1, "secret": 1}
    published = await clients.ask("bob", PUBLISH, id=global_id(hidden))
    assert published == {"publishDream": {"errors": []}}
    assert await clients.counted("ada") == {"m": 1, "secret": 1}


async def test_results_get_old(clients: Clients, dream: Dream) -> None:
    await clients.record("ada", dream)
    for age, hits in ((0.0, 0), (SECONDS - 1.0, 1), (SECONDS + 1.0, 1)):
        clients.now = age
        await clients.counted("ada")
        assert clients.answers().hits == hits
    assert clients.answers().oldest == 0


async def test_another_history_ends_all_results(
    clients: Clients, dream: Dream, database: Database
) -> None:
    await clients.record("ada", dream)
    await clients.counted("ada")
    async with database.write() as session:
        await reset_subscribers(session, CHANGES)
    await clients.counted("ada")
    await clients.counted("ada")
    assert (clients.answers().hits, clients.answers().misses) == (1, 2)


async def test_many_changes_between_two_looks_end_all_results(
    clients: Clients, dream: Dream, monkeypatch: pytest.MonkeyPatch
) -> None:
    await clients.record("ada", dream)
    await clients.counted("ada")
    monkeypatch.setattr("db.latest_changes.MOST_ROWS", 0)
    assert await clients.counted("ada") == {"m": 1}
    await clients.record("ada", dream)
    assert await clients.counted("ada") == {"m": 2}


async def test_results_are_exact_beside_writers(
    clients: Clients, dream: Dream, database: Database
) -> None:
    """A reader sees all tests acknowledged before it asked, and none that were not sent yet."""
    ada = clients.users["ada"].id
    others = [await make_dream(database, user_id=ada, is_public=True) for _ in range(3)]
    sent = stored = 0
    is_over = False

    async def write(number: int, of: Dream) -> None:
        nonlocal sent, stored
        for turn in range(12):
            sent += 1
            await clients.record("ada", of, gateway=(number + turn) % 2)
            stored += 1
            await asyncio.sleep(0.01 * (turn % 3))

    async def read(who: str, gateway: int) -> None:
        while not is_over:
            before = stored
            seen = (await clients.counted(who, gateway)).get("m", 0)
            assert before <= seen <= sent

    readers = [
        asyncio.create_task(read(who, gateway))
        for who in ("ada", "bob", "op")
        for gateway in (0, 1)
    ]
    await asyncio.gather(*(write(number, of) for number, of in enumerate([dream, *others])))
    is_over = True
    await asyncio.gather(*readers)
    assert await clients.counted("op") == {"m": stored}


async def test_equal_queries_at_the_same_time_are_computed_once(
    clients: Clients, dream: Dream
) -> None:
    await clients.record("ada", dream)
    seen = await asyncio.gather(*(clients.counted("ada") for _ in range(20)))
    assert seen == [{"m": 1}] * 20
    assert clients.answers().misses < 10


async def test_results_are_computed_from_the_tables_that_are_declared(
    clients: Clients, dream: Dream
) -> None:
    await clients.record("ada", dream)
    own, declared = clients.apps[0].state.health.probe.database, prepare(schema, MODELS).kept_as
    assert declared
    for who, query in (("ada", MODELS), ("op", OTHERS)):
        with statements(own, at_most=20) as seen:
            await clients.ask(who, query)
        own_texts = [text for text in seen if "test_sums" in text]  # maintenance runs beside it
        read = {name for text in own_texts for name in re.findall(r"(?:FROM|JOIN) (\w+)", text)}
        assert read & nouns() <= set(declared.nouns)


def nouns() -> set[str]:
    """Tables whose rows clients change; sums follow from them."""
    types = (
        type_.extensions.get("strawberry-definition") for type_ in schema._schema.type_map.values()
    )
    tables = (getattr(getattr(each, "origin", None), "table", None) for each in types)
    return {table.__tablename__ for table in tables if table is not None}


def test_only_values_are_kept() -> None:
    def kept(text: str) -> Any:
        return prepare(schema, text).kept_as

    tables = (AiTest, Dream, ProgressLog)
    assert kept(MODELS) == kept(OTHERS) == (tables, SECONDS)
    assert kept("{ modelComparison { rows { model } } dreams { totalCount } }") is None
    assert kept("{ spend { rows { user { id } } } }") is None
    assert kept("{ __typename }") is None


def test_the_document_lists_the_fields_whose_results_are_kept() -> None:
    fields = schema._schema.query_type.fields.items()
    assert [name for name, field in fields if metadata_of(field).get("kept")] == [
        "modelComparison",
        "categoryPerformance",
        "spend",
    ]
