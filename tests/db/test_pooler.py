"""Poolers: the mode is detected, and nothing depends on a session that one keeps."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import literal, select, text
from sqlalchemy.exc import NotSupportedError

from db import Database, feeds
from db.agents import AgentReport
from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.errors import Unavailable
from db.core.schema import health
from db.core.schema.kept_statements import are_kept_at
from db.core.session.compiled import compile_statement
from db.core.session.direct import DirectReadFailed, fetch
from db.core.session.row_rules import UNRESTRICTED
from db.feeds import Feeds
from support import databases
from support.factories import START, make_agent_report, make_user
from support.pgbouncer import Program, needed, pgbouncer, programs
from support.stored_rows import seqs
from support.wait import until

Through = Callable[..., AbstractAsyncContextManager[ConnectionInfo]]
INSTALLED = programs()

# What a session leaves behind on a connection of the server, but for what PgBouncer itself sets
# there for each of its clients.
LEFT = """
    select 'statement ' || name from pg_prepared_statements where name not like 'PGBOUNCER_%'
    union all select 'lock ' || objid from pg_locks
        where locktype = 'advisory' and pid = pg_backend_pid()
    union all select 'channel ' || channel from pg_listening_channels() as channel
    union all select 'setting ' || name from pg_settings
        where source = 'session' and name not in ('application_name', 'client_encoding')
"""


@pytest.fixture(params=INSTALLED or [None], ids=str)
def program(request: pytest.FixtureRequest) -> Program:
    """Every PgBouncer that is installed."""
    return request.param or needed()


@pytest.fixture
def through(program: Program, database_url: str, tmp_path: Path) -> Through:
    """`async with through(mode="session") as info`: this test's database behind a PgBouncer."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[ConnectionInfo]:
        async with pgbouncer(program, database_url, tmp_path, **settings) as url:
            yield await found(connection_info(url))

    return opened


async def found(info: ConnectionInfo) -> ConnectionInfo:
    """The same, behind the pooler that is found there."""
    return info.behind((await health.inspect(info.behind(Pooler.UNKNOWN))).pooler)


async def test_no_pooler_is_found_where_there_is_none(database_url: str) -> None:
    assert (await found(connection_info(database_url))).pooler == Pooler.NONE


async def test_the_kind_of_a_pooler_is_found(program: Program, through: Through) -> None:
    async with through() as info:
        assert info.pooler == (Pooler.PREPARING if program.knows_names else Pooler.TRANSACTION)
    without = {"max_prepared_statements": 0} if program.knows_names else {}
    async with through(**without) as info:
        assert info.pooler == Pooler.TRANSACTION
    async with through(mode="session") as info:
        assert info.pooler == Pooler.TRANSACTION  # looks like it, and what it lacks is not used


async def test_a_pooler_without_transactions_is_refused(through: Through) -> None:
    with pytest.raises(Unavailable, match="transaction blocks not allowed in statement pooling"):
        async with through(mode="statement"):
            pass


async def test_statements_are_proved_to_last(program: Program, through: Through) -> None:
    async with through(default_pool_size=3) as info:
        assert await are_kept_at(info)
        assert await are_kept_at(info.behind(Pooler.SESSION)) == program.knows_names
    async with through(mode="session") as info:
        assert await are_kept_at(info.behind(Pooler.SESSION))


async def test_a_pooler_that_loses_statements_is_refused_and_not_ready(
    program: Program, through: Through, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = {"max_prepared_statements": 0} if program.knows_names else {}
    async with through(**without) as info:
        wrong = info.behind(Pooler.SESSION)
        with pytest.raises(Unavailable, match="loses prepared statements"):
            await health.inspect(wrong)
        database = Database(wrong)
        probe = health.Probe(database)
        monkeypatch.setattr(health, "PROVED_SECONDS", -1)
        monkeypatch.setattr(health, "FRESH_SECONDS", 0)

        async def loses() -> bool:
            state = await probe.state()
            return state is not None and not state.keeps_statements

        await until(loses)
        await probe.close()
        await database.close()


async def test_sessions_share_connections_of_the_server(through: Through) -> None:
    """More sessions at once than there are connections, each with all statements of the others."""
    async with through(default_pool_size=3) as info:
        database = Database(info)

        async def read(number: int) -> None:
            for added in range(10):
                async with database.read() as session:
                    statement = select(literal(number) + literal(added).label(f"plus_{added}"))
                    assert await session.scalar(statement) == number + added

        async def write(number: int) -> None:
            user = await make_user(database, email=f"{number}")
            assert user.email == f"{number}"

        works = [work(number) for number in range(30) for work in (read, write)]
        await asyncio.gather(*works)
        await database.close()


async def test_a_changed_column_costs_one_read(database: Database, database_url: str) -> None:
    """As much as where statements are prepared by name."""
    for pooler in (Pooler.NONE, Pooler.TRANSACTION):
        behind = Database(connection_info(database_url).behind(pooler), pool_size=3)
        await execute(database, "create table numbers (number) as select 7")
        assert await number(behind) == 7
        await execute(database, "alter table numbers alter number type bigint")
        with pytest.raises((BufferError, NotSupportedError)):
            await number(behind)
        assert await number(behind) == 7
        await execute(database, "drop table numbers")
        await behind.close()


async def test_a_direct_read_reports_that_the_pooler_has_no_server(
    through: Through, server_url: str, database_url: str
) -> None:
    """PgBouncer accepts the connection, and refuses the first statement, which reads the clock."""
    statement = compile_statement(select(literal(1)), UNRESTRICTED)
    async with through(query_wait_timeout=1) as info:
        behind = Database(info, pool_size=1)
        assert [row[0] for row in await fetch(behind, statement, {})] == [1]
        await behind.engine.dispose()
        async with refusing_connections(server_url, database_url):
            with pytest.raises(DirectReadFailed):
                await fetch(behind, statement, {})
        await behind.close()


@asynccontextmanager
async def refusing_connections(server_url: str, database_url: str) -> AsyncIterator[None]:
    """Within the context, a database accepts no connections."""
    name = connection_info(database_url).dbname
    allow = 'alter database "{}" allow_connections {}'
    await databases.execute(
        server_url,
        allow.format(name, "false"),
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'",  # noqa: S608  a name of ours
    )
    try:
        yield
    finally:
        await databases.execute(server_url, allow.format(name, "true"))


async def execute(database: Database, statement: str) -> None:
    async with database.write() as session:
        await session.execute(text(statement))


async def number(database: Database) -> Any:
    async with database.read() as session:
        return await session.scalar(text("select number from numbers"))


async def test_nothing_of_a_session_stays_behind(through: Through, database_url: str) -> None:
    async with through(default_pool_size=2) as info:
        database = Database(info)
        async with Feeds(database).running():
            await asyncio.gather(*(make_user(database, email=f"{each}") for each in range(20)))
            await make_agent_report(database, reported_at=START)
            assert (await feeds.expire(database, {"agents": timedelta(days=1)}))["agents"]
            await database.close()
        assert await left(info, connections=2) == []


async def left(info: ConnectionInfo, connections: int) -> list[Any]:
    """What is found on all connections that a pooler has, with all of them taken at once."""
    database, taken = Database(info), asyncio.Barrier(connections)

    async def look() -> list[Any]:
        async with database.write() as session:
            await session.scalar(select(literal(1)))
            async with asyncio.timeout(20):
                await taken.wait()
            return [row[0] for row in await session.rows(text(LEFT))]

    every = await asyncio.gather(*(look() for _ in range(connections)))
    await database.close()
    return [each for found in every for each in found]


async def test_a_cancelled_statement_is_cancelled_at_the_server(through: Through) -> None:
    async with through() as info:
        database = Database(info)

        async def sleep() -> None:
            async with database.read() as session:
                await session.scalar(text("select pg_sleep(600)"))

        async def sleeping() -> int:
            running = "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)'"
            async with database.read() as session:
                count: int = await session.scalar(text(f"{running} and state = 'active'"))
                return count

        task = asyncio.create_task(sleep())
        await until(lambda: _is(sleeping, 1))
        task.cancel()
        await asyncio.wait([task])
        await until(lambda: _is(sleeping, 0))
        await database.close()


async def _is(asked: Callable[[], Any], answer: Any) -> bool:
    return bool(await asked() == answer)


async def test_feeds_are_followed_without_hints(through: Through, database: Database) -> None:
    async with through() as info:
        behind = Database(info)
        running = Feeds(behind)
        async with running.running(), running["agents"].following():
            made = await make_agent_report(database)
            await until(lambda: running["agents"].position.seq == made.seq)
            assert not running._listener._connected
        assert await seqs(behind, AgentReport) == [made.seq]
        await behind.close()


async def test_hints_are_heard_at_the_direct_url_and_sent_without_one(
    through: Through, database_url: str
) -> None:
    async with through() as info:
        beside = Database(replace(info, direct=connection_info(database_url)))
        behind = Database(info)
        here, there = Feeds(beside), Feeds(behind)
        async with here.running(), there.running():
            await until(here["events"].is_woken)
            heard = here["events"]._wakeup
            behind.wakeups.notify("events")
            await until(heard.is_set)
            assert not there["events"].is_woken()
        for database in (beside, behind):
            await database.close()


async def test_a_direct_url_that_is_a_pooler_gives_no_hints(through: Through) -> None:
    async with through() as info:
        database = Database(replace(info, direct=info.behind(Pooler.NONE)))
        feeds = Feeds(database)
        async with feeds.running(), feeds["agents"].following():
            made = await make_agent_report(database)
            await until(lambda: feeds["agents"].position.seq == made.seq)
            assert not feeds["agents"].is_woken()
        await database.close()


async def test_hints_are_heard_where_sessions_are_said_to_be_kept(through: Through) -> None:
    async with through(mode="session") as info:
        ours, others = (Database(info.behind(Pooler.SESSION)) for _ in range(2))
        here, there = Feeds(ours), Feeds(others)
        async with here.running(), there.running():
            await until(lambda: here._listener._connected and there._listener._connected)
            heard = there["events"]._wakeup
            ours.wakeups.notify("events")
            await until(heard.is_set)
        for database in (ours, others):
            await database.close()
