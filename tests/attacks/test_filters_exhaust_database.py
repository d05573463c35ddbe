"""A few filters keep the database busy, until nobody else is answered.

Each condition on related rows was an EXISTS over all partitions: 40 of them took ten seconds to
plan, and twelve such requests at once all connections.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from db import Database
from db.core.session import connection_shares
from db.core.timeouts import Timeouts
from support.attack_target import RICH, Target
from support.factories import make_ai_test, make_dream, make_progress_log
from support.gateways import ask, gateway, make_key, production
from support.query_count import statements
from support.wait import until

FILTER = "query ($f: DreamFilter) { dreams(first: 1, filter: $f) { totalCount } }"
COST = "query ($f: DreamFilter) { dreams(first: 1, filter: $f) { totalCount } rateLimit { cost } }"
LOGS = "query ($f: ProgressLogFilter) { progressLogs(first: 1, filter: $f) { totalCount } }"
TESTED = {"tests": {"model": {"contains": "e"}}}

# Filters of ten conditions on related rows, however they are joined.
TEN: dict[str, Any] = {
    "and": {"and": [TESTED] * 10},
    "or": {"or": [TESTED] * 10},
    "not": {"and": [{"not": TESTED}] * 10},
    "and in or": {"or": [{"and": [TESTED, TESTED]}] * 5},
    "or in and": {"and": [{"or": [TESTED, {"title": {"eq": "a"}}, TESTED]}] * 5},
    "deep": {"not": {"or": [{"not": {"and": [TESTED] * 5}}, {"or": [TESTED] * 5}]}},
}


@pytest.mark.parametrize("joined", TEN)
async def test_all_conditions_on_one_relation_are_one_subquery(target: Target, joined: str) -> None:
    member = await target.key()
    await target.ask("{ viewer { role } }", member)
    with statements(target.database, exactly=4) as sent:  # the page, and the count, each in a look
        await target.ask(FILTER, member, f=TEN[joined])
    assert [statement.count("FROM ai_tests") for statement in sent] == [0, 1, 0, 1]


async def test_conditions_on_related_rows_are_capped(target: Target) -> None:
    member = await target.key()
    for filter in ({"and": [TESTED] * 11}, {"or": [{"and": [TESTED] * 6}] * 2}):
        message, code = await target.refusal(FILTER, member, f=filter)
        assert (message, code) == (
            "A filter has at most 10 conditions on related rows.",
            "BAD_USER_INPUT",
        )
    refused = await target.refusal(LOGS, f={"and": [{"dream": {"title": {"eq": "a"}}}] * 11})
    assert refused[1] == "BAD_USER_INPUT"


async def test_conditions_on_related_rows_are_paid_for(target: Target) -> None:
    member = await target.key()
    costs = [
        (await target.ask(COST, member, f=filter))["rateLimit"]["cost"]
        for filter in ({}, TESTED, {"and": [TESTED] * 10})
    ]
    assert [cost - costs[0] for cost in costs] == [0, 20, 200 + 42 // 20]


async def test_joined_conditions_match_as_single_ones(target: Target) -> None:
    """The control: a subquery for all conditions answers as one for each does."""
    for title, models in (("a", "xy"), ("b", "x"), ("c", "")):
        dream = await make_dream(target.database, title=title)
        for model in models:
            await make_ai_test(target.database, dream_id=dream.id, model=model)
    member = await target.key()
    found = "query ($f: DreamFilter) { dreams(filter: $f) { nodes { title } } }"
    x, y = ({"tests": {"model": {"eq": model}}} for model in "xy")

    async def titles(filter: Any) -> set[str]:
        nodes = (await target.ask(found, member, f=filter))["dreams"]["nodes"]
        return {node["title"] for node in nodes}

    have_x, have_y = await titles(x), await titles(y)
    assert (have_x, have_y) == ({"a", "b"}, {"a"})
    assert await titles({"and": [x, y]}) == have_x & have_y
    assert await titles({"or": [x, y]}) == have_x | have_y
    assert await titles({"and": [x, {"not": y}]}) == have_x - have_y
    assert await titles({"and": [{"not": x}, {"not": y}]}) == {"c"}


async def test_joined_conditions_see_no_rows_of_others(target: Target) -> None:
    dream = await make_dream(target.database, is_public=False)
    log = await make_progress_log(target.database, dream_id=dream.id)
    assert log.dream_id == dream.id
    filter = {"or": [{"dream": {}}, {"dream": {"isPublic": {"eq": False}}}]}
    assert (await target.ask(LOGS, f=filter))["progressLogs"]["totalCount"] == 0


# Connections


LOCK = text("lock table dreams in access exclusive mode")


@pytest.fixture
async def small(database_url: str) -> AsyncIterator[Database]:
    """The database of a gateway with ten connections, whose statements wait for locks."""
    timeouts = Timeouts(list=9.0, search=9.0, aggregate=9.0)
    database = Database(database_url, 10, lock_seconds=9.0, timeouts=timeouts)
    yield database
    await database.close()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits long for a connection."""
    monkeypatch.setattr(connection_shares, "WAIT_SECONDS", 0.1)
    return


async def stranger(app: Starlette, host: str, query: str) -> httpx2.Response:
    """The answer to a query without a credential, from an address."""
    transport = httpx2.ASGITransport(app, client=(host, 1))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return await client.post("/graphql", json={"query": query})


@pytest.mark.usefixtures("brief")
async def test_one_network_leaves_connections_for_others(
    small: Database, database: Database
) -> None:
    settings = production(public_read=True, **RICH)
    app, member = gateway(settings, small), (await make_key(database, settings)).text
    flag = '{ featureEnabled(key: "a") }'
    assert (await ask(app, member)).status_code == 200
    async with database.write() as session:
        await session.execute(LOCK)
        slow = [
            asyncio.create_task(
                stranger(app, f"203.0.113.{n}", f"query Q{n} {{ dreams {{ totalCount }} }}")
            )
            for n in range(12)
        ]
        await until(lambda: sum(task.done() for task in slow) == 10)
        throttled = await stranger(app, "203.0.113.99", flag)
        others = [await stranger(app, "198.51.100.1", flag), await ask(app, member, flag)]
        ready = await ready_status(app)
    answers = await asyncio.gather(*slow)

    assert [answer.json() for answer in others] == [{"data": {"featureEnabled": False}}] * 2
    assert ready == 200
    assert sorted(answer.status_code for answer in answers) == [200] * 2 + [429] * 10
    (error,) = throttled.json()["errors"]
    assert (throttled.status_code, error["extensions"]["code"]) == (429, "RATE_LIMITED")
    assert throttled.headers["retry-after"] == "1"


async def ready_status(app: Starlette) -> int:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
        return (await client.get("/api/health/ready")).status_code


async def test_a_slow_filter_ends_by_the_time_of_its_kind(
    database: Database, database_url: str
) -> None:
    timeouts = Timeouts(list=0.1, search=0.1, aggregate=0.1)
    limited = Database(database_url, lock_seconds=9.0, timeouts=timeouts)
    app = gateway(production(public_read=True, **RICH), limited)
    found = []
    async with database.write() as session:
        await session.execute(LOCK)
        for query in (
            "{ dreams { nodes { id } } }",
            '{ dreams(search: "a") { nodes { id } } }',
            "{ dreams(first: 1) { totalCount } }",
        ):
            (error,) = (await ask(app, None, query)).json()["errors"]
            found.append((error["extensions"]["code"], error["message"]))
    message = "This takes the database too long; ask for less at once, or by fewer conditions."
    assert found == [("TIMEOUT", message)] * 3
    assert limited.limiter.held == 0
    await limited.close()
