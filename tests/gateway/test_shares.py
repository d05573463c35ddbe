"""Shares: neither one table nor one caller holds all connections to the database."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpx2
import pytest
from sqlalchemy import text
from starlette.applications import Starlette

from db import Database
from db.core.session import connection_shares
from gateway.settings import Settings
from support.gateways import ask, gateway, make_key, production
from support.wait import until

DREAMS = "{ dreams { nodes { id } } }"
USER = "{ viewer { user { id } } }"
FLAG = '{ featureEnabled(key: "new") }'
LOCK = text("lock table dreams in access exclusive mode")
LOCKED = "Another transaction holds a lock that this needs; retry in a moment."
THROTTLED = "You are at your limit of simultaneous database requests; retry in a moment."


@pytest.fixture
def settings() -> Settings:
    """Those of production, where strangers may read."""
    return production(public_read=True)


@pytest.fixture
async def holder(database_url: str) -> AsyncIterator[Database]:
    """Somebody else on the same database."""
    database = Database(database_url)
    yield database
    await database.close()


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Database]:
    """The database of a gateway with as many connections as it has by default."""
    database = Database(database_url, Settings.model_fields["pool_size"].default, lock_seconds=10.0)
    yield database
    await database.close()


@pytest.fixture
def app(settings: Settings, served: Database) -> Starlette:
    return gateway(settings, served)


@contextmanager
def reading(
    app: Starlette, *credentials: str | None
) -> Iterator[list[asyncio.Task[httpx2.Response]]]:
    """A request for dreams from each."""
    tasks = [asyncio.create_task(ask(app, credential, DREAMS)) for credential in credentials]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()


def code(response: httpx2.Response) -> tuple[int, str, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"], response.headers["retry-after"]


async def test_a_locked_table_delays_only_its_readers(
    app: Starlette, settings: Settings, served: Database, holder: Database
) -> None:
    key, other = (await make_key(holder, settings)).text, (await make_key(holder, settings)).text
    assert (await ask(app, key, DREAMS)).status_code == 200
    async with holder.write() as session:
        await session.execute(LOCK)
        with reading(app, *[key] * 12, *[None] * 12) as tasks:  # cancelled at the end
            await until(lambda: served.limiter.held >= 6)
            for credential in (key, other):
                for query in (USER, FLAG):
                    answer = await ask(app, credential, query)
                    assert answer.status_code == 200, answer.text
                    assert "errors" not in answer.json()
        assert not any(task.done() and task.result().status_code == 200 for task in tasks)


async def test_a_read_gives_up_a_locked_table(
    settings: Settings, database_url: str, holder: Database
) -> None:
    database = Database(database_url, lock_seconds=0.1)
    async with holder.write() as session:
        await session.execute(LOCK)
        refused = await ask(gateway(settings, database), None, DREAMS)
    assert code(refused) == (503, "SERVICE_UNAVAILABLE", "1")
    assert refused.json()["errors"][0]["message"] == LOCKED
    await database.close()


async def test_a_client_over_its_share_is_refused_and_others_are_served(
    app: Starlette,
    settings: Settings,
    served: Database,
    holder: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_shares, "WAIT_SECONDS", 0.1)
    key, other = (await make_key(holder, settings)).text, (await make_key(holder, settings)).text
    queries = [f"query Q{n} {{ dreams {{ nodes {{ id }} }} }}" for n in range(12)]
    assert (await ask(app, key, USER)).status_code == 200
    async with holder.write() as session:
        await session.execute(LOCK)
        asking = [asyncio.create_task(ask(app, key, query)) for query in queries]
        await until(lambda: sum(task.done() for task in asking) == 4)
        throttled = await ask(app, key, USER)
        assert code(throttled) == (429, "RATE_LIMITED", "1")
        (error,) = throttled.json()["errors"]
        assert (error["message"], error["extensions"]["retryAfterMs"]) == (THROTTLED, 1000)
        assert "errors" not in (await ask(app, other, USER)).json()
        await asyncio.gather(*asking)
    assert "errors" not in (await ask(app, key, DREAMS)).json()
