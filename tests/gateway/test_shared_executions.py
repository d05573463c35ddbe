"""Shared executions: queries that arrive together are executed as one, and each caller sees its
own rows."""

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from db import Database
from db.dreams import Dream
from db.users import Role, User
from gateway.settings import Settings
from graph.core.execution.plan import shared
from support.executors import needs_plans
from support.factories import make_agent, make_dream, make_user
from support.gateways import make_key, production
from support.query_count import statements
from support.raw_http import Connection, connected, request
from support.running_gateway import Served
from support.wait import until

DREAM = "query Dream($id: ID!) { dream(id: $id) { title } }"
OWNED = "query Owned($id: ID!) { dream(id: $id) { title owner { email } tests { totalCount } } }"
LIST = "query List($first: Int) { dreams(first: $first) { nodes { title } } }"
TWICE = "query Twice($id: ID!) { dream(id: $id) { title } same: dream(id: $id) { title } }"
BELOW = """query Below($id: ID!, $first: Int) {
  dream(id: $id) { title tests(first: $first) { nodes { model } } } }"""
LOCK = text("lock table dreams in access exclusive mode")
COSTS = "query Costs { rateLimit { remaining } }"


@pytest.fixture
def settings() -> Settings:
    return production(drain_seconds=0, spread_seconds=0, short_path="on")


class Callers:
    """Callers with a connection each, who ask at the same time."""

    def __init__(self, database: Database, settings: Settings, served: Served) -> None:
        self.database = database
        self.settings = settings
        self.served = served
        self.stack = AsyncExitStack()
        self.connections: list[tuple[Connection, str]] = []

    async def add(self, user: User) -> None:
        key = await make_key(self.database, self.settings, user_id=user.id)
        connection = await self.stack.enter_async_context(connected(self.served.port))
        self.connections.append((connection, key.text))

    async def ask(self, query: str, *variables: dict[str, Any]) -> list[Any]:
        """The data of each caller's answer to the query with its own variables. All of them are
        sent before the gateway reads one."""
        for number, values in enumerate(variables):
            self.send(number, query, values)
        return await self.answers()

    def send(self, number: int, query: str, variables: dict[str, Any]) -> None:
        connection, key = self.connections[number]
        headers = {"authorization": f"Bearer {key}"}
        connection.writer.write(request({"query": query, "variables": variables}, headers))

    async def answers(self) -> list[Any]:
        """The data of an answer to each caller."""
        responses = [await connection.response() for connection, _ in self.connections]
        answers = [orjson.loads(each.body) for each in responses]
        assert all("errors" not in answer for answer in answers), answers
        return [answer["data"] for answer in answers]

    @property
    def waiting(self) -> int:
        """The number of queries that wait for the end of others."""
        batches = self.served.server.config.app.state.heads.path.executor.shared.waiting.values()
        return sum(len(batch.queries) for batch in batches)


@pytest.fixture
async def callers(database: Database, settings: Settings, served: Served) -> AsyncIterator[Callers]:
    callers = Callers(database, settings, served)
    async with callers.stack:
        yield callers


async def operators(callers: Callers, count: int) -> None:
    for _ in range(count):
        await callers.add(await make_user(callers.database, role=Role.ADMIN))


def of(dream: Dream) -> dict[str, str]:
    return {"id": f"dream_{dream.id.hex}"}


@needs_plans
async def test_objects_of_different_ids_are_one_statement(
    callers: Callers, database: Database
) -> None:
    await operators(callers, 3)
    dreams = [await make_dream(database, title=f"Dream {n}") for n in range(3)]
    ids = [of(dream) for dream in dreams]
    await callers.ask(DREAM, *ids)

    with statements(database, exactly=1):
        answers = await callers.ask(DREAM, *ids)
    with statements(database, exactly=1):
        missing = await callers.ask(DREAM, ids[0], {"id": "dream_" + 32 * "f"}, ids[0])

    assert answers == [{"dream": {"title": f"Dream {n}"}} for n in range(3)]
    assert missing == [answers[0], {"dream": None}, answers[0]]


@needs_plans
async def test_queries_wait_for_others_like_them_and_are_one_statement(
    callers: Callers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "PATIENCE", 600)
    await operators(callers, 4)
    dreams = [await make_dream(database, title=str(n)) for n in range(4)]
    ids = [of(dream) for dream in dreams]
    await callers.ask(DREAM, *ids)

    with statements(database) as sent:
        async with database.write() as writer:
            await writer.execute(LOCK)
            callers.send(0, DREAM, ids[0])
            await until(lambda: len(sent) == 2)
            for number in (1, 2, 3):
                callers.send(number, DREAM, ids[number])
                await until(lambda number=number: callers.waiting == number)
        answers = await callers.answers()

    assert [answer["dream"]["title"] for answer in answers] == ["0", "1", "2", "3"]
    assert len(sent) == 3  # with that of the lock


@needs_plans
async def test_queries_do_not_wait_for_a_slow_one(callers: Callers, database: Database) -> None:
    await operators(callers, 2)
    dreams = [await make_dream(database, title=str(n)) for n in range(2)]
    ids = [of(dream) for dream in dreams]
    await callers.ask(DREAM, *ids)

    async with database.write() as writer:
        await writer.execute(LOCK)
        with statements(database) as sent:
            for number in (0, 1):
                callers.send(number, DREAM, ids[number])
                await until(lambda number=number: len(sent) == number + 1)
    assert [answer["dream"]["title"] for answer in await callers.answers()] == ["0", "1"]


@needs_plans
async def test_what_is_below_the_root_is_read_together(
    callers: Callers, database: Database
) -> None:
    await operators(callers, 3)
    owner = await make_user(database, email="owner@example.org")
    dreams = [await make_dream(database, title=str(n), user_id=owner.id) for n in range(3)]
    fields = "query Owner($id: ID!) { dream(id: $id) { title owner { email } } }"
    ids = [of(dream) for dream in dreams]
    await callers.ask(fields, *ids)

    with statements(database, exactly=2):
        answers = await callers.ask(fields, *ids)

    shown = {"email": "owner@example.org"}
    assert answers == [{"dream": {"title": str(n), "owner": shown}} for n in range(3)]


@needs_plans
async def test_equal_lists_are_read_once(callers: Callers, database: Database) -> None:
    await operators(callers, 3)
    for n in range(3):
        await make_dream(database, title=str(n))
    await callers.ask(LIST, {}, {}, {})

    with statements(database, exactly=1):
        same = await callers.ask(LIST, {"first": 2}, {"first": 2}, {"first": 2})
    with statements(database, exactly=2):
        other = await callers.ask(LIST, {"first": 2}, {"first": 1}, {"first": 2})

    assert [len(answer["dreams"]["nodes"]) for answer in same] == [2, 2, 2]
    assert [len(answer["dreams"]["nodes"]) for answer in other] == [2, 1, 2]


@needs_plans
async def test_queries_of_several_root_fields_are_executed_once(
    callers: Callers, database: Database
) -> None:
    await operators(callers, 3)
    dreams = [await make_dream(database, title=title) for title in "ab"]
    both = "query Both($id: ID!) { dream(id: $id) { title } agents { nodes { key } } }"
    await callers.ask(both, *3 * [of(dreams[0])])

    with statements(database, exactly=2):
        answers = await callers.ask(both, *3 * [of(dreams[0])])
    assert answers == 3 * [{"dream": {"title": "a"}, "agents": {"nodes": []}}]
    answers = await callers.ask(both, *[of(dreams[n]) for n in (0, 1, 1)])
    assert [answer["dream"]["title"] for answer in answers] == ["a", "b", "b"]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.OPERATOR])
async def test_nobody_sees_the_rows_of_others(
    callers: Callers, database: Database, role: Role
) -> None:
    users = [await make_user(database, role=role) for _ in range(3)]
    for user in users:
        await callers.add(user)
    own = [
        await make_dream(database, title="own", user_id=user.id, is_public=False) for user in users
    ]
    sees = role is Role.OPERATOR

    for _ in range(3):  # the first time alone, then together, then apart where users differ
        assert await callers.ask(DREAM, *map(of, own)) == [{"dream": {"title": "own"}}] * 3
        first = await callers.ask(DREAM, *[of(own[0])] * 3)
        assert [answer["dream"] is not None for answer in first] == [True, sees, sees]
        lists = await callers.ask(LIST, {}, {}, {})
        assert [len(answer["dreams"]["nodes"]) for answer in lists] == [3 if sees else 1] * 3


async def test_fields_for_owners_are_shown_to_owners(callers: Callers, database: Database) -> None:
    users = [await make_user(database, role=Role.MEMBER) for _ in range(2)]
    for user in users:
        await callers.add(user)
    dream = await make_dream(database, title="shared", user_id=users[0].id, is_public=True)
    fields = "query Owner($id: ID!) { dream(id: $id) { title owner { email } } }"
    for _ in range(3):
        mine, other = await callers.ask(fields, of(dream), of(dream))
        assert mine["dream"]["owner"] == {"email": users[0].email}
        assert (other["dream"]["owner"] or {}).get("email") is None


async def test_callers_of_other_roles_share_nothing(callers: Callers, database: Database) -> None:
    await operators(callers, 1)
    await callers.add(await make_user(database, role=Role.MEMBER))
    hidden = await make_dream(database, title="hidden", is_public=False)
    for _ in range(3):
        answers = await callers.ask(DREAM, of(hidden), of(hidden))
        assert answers == [{"dream": {"title": "hidden"}}, {"dream": None}]


@pytest.mark.parametrize("query", [TWICE, OWNED, BELOW])
async def test_other_plans_answer_each_caller(
    callers: Callers, database: Database, query: str
) -> None:
    await operators(callers, 2)
    dreams = [await make_dream(database, title=str(n)) for n in range(2)]
    for _ in range(3):
        one, two = await callers.ask(query, *map(of, dreams))
        assert (one["dream"]["title"], two["dream"]["title"]) == ("0", "1")


async def test_variables_of_other_types_are_other_queries(
    callers: Callers, database: Database
) -> None:
    await operators(callers, 2)
    skipped = "query Skipped($on: Boolean!) { dreams { nodes { id title @include(if: $on) } } }"
    await make_dream(database, title="shown")
    for _ in range(3):
        with_title, without = await callers.ask(skipped, {"on": True}, {"on": False})
        assert "title" in with_title["dreams"]["nodes"][0]
        assert "title" not in without["dreams"]["nodes"][0]


async def test_resolvers_know_their_caller(callers: Callers, database: Database) -> None:
    users = [await make_user(database, role=Role.ADMIN) for _ in range(2)]
    for user in users:
        await callers.add(user)
    await make_agent(database)
    query = "query Viewer { viewer { user { email } } }"
    for _ in range(3):
        answers = await callers.ask(query, {}, {})
        emails = [answer["viewer"]["user"]["email"] for answer in answers]
        assert emails == [user.email for user in users]


async def test_each_caller_is_charged_once(callers: Callers, database: Database) -> None:
    await operators(callers, 2)
    dream = await make_dream(database)
    minute = None
    while minute != time.time() // 60:  # of one minute, since the points of the one before fade
        minute = time.time() // 60
        before = await callers.ask(COSTS, {}, {})
        for _ in range(3):
            await callers.ask(DREAM, of(dream), of(dream))
        after = await callers.ask(COSTS, {}, {})

    spent = [
        one["rateLimit"]["remaining"] - two["rateLimit"]["remaining"]
        for one, two in zip(before, after, strict=True)
    ]
    assert spent == [3 + 1, 3 + 1]  # and one for the second look


async def test_a_failed_execution_is_repeated_alone(callers: Callers, database: Database) -> None:
    await operators(callers, 2)
    dreams = [await make_dream(database, title=str(n)) for n in range(2)]
    await callers.ask(DREAM, *map(of, dreams))
    await database.engine.dispose()  # what was idle is closed
    answers = await callers.ask(DREAM, *map(of, dreams))
    assert answers == [{"dream": {"title": "0"}}, {"dream": {"title": "1"}}]
