"""Pool: connections after PostgreSQL was away, had none left, or refused writes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy import literal, make_url, select, text

from db import Database
from db.core.connections.pool import NoneIdle, Pool, driver
from db.core.connections.pooler import Pooler
from db.core.connections.url import ConnectionInfo, connection_info
from db.core.embedded import Embedded
from db.core.errors import Locked, ReadOnly, Unavailable
from db.core.session.compiled import compile_statement
from db.core.session.direct import fetch
from db.core.session.row_rules import UNRESTRICTED
from support.factories import make_user
from support.wait import until

ONE = select(literal(1))
FEW = {"fsync": "off", "max_connections": "8"}


async def read(database: Database, statement: Any = ONE) -> Any:
    async with database.read() as session:
        return await session.scalar(statement)


async def together(database: Database, count: int) -> set[Any]:
    """What that many reads at the same time find."""
    slow = text("select 1 from pg_sleep(0.1)")
    return set(await asyncio.gather(*(read(database, slow) for _ in range(count))))


@asynccontextmanager
async def opened(url: str | ConnectionInfo, **more: Any) -> AsyncIterator[Database]:
    database = Database(url, **more)
    yield database
    await database.close()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "folder"
    assert Embedded(tmp_path / "folder").server.pid is None


async def test_reads_go_on_after_a_restart_with_fewer_connections(folder: Path) -> None:
    with Embedded(folder, {"fsync": "off"}) as url:
        database = Database(url, pool_size=20)
        assert await together(database, 20) == {1}
    with Embedded(folder, FEW):
        assert await together(database, 12) == {1}
        assert [await read(database) for _ in range(14)] == [1] * 14
        assert await together(database, 12) == {1}
        await database.close()


async def test_connections_that_others_hold_are_waited_for(folder: Path) -> None:
    with Embedded(folder, FEW) as url:
        others = [await asyncpg.connect(url) for _ in range(6)]
        async with opened(url, pool_size=10) as database:
            assert await together(database, 10) == {1}
            await asyncio.gather(*(other.close() for other in others))
            assert await together(database, 10) == {1}


async def test_a_server_without_a_connection_for_us_is_unavailable(folder: Path) -> None:
    with Embedded(folder, FEW) as url:
        others = [await asyncpg.connect(url) for _ in range(8)]
        async with opened(url) as database:
            with pytest.raises(Unavailable):
                await read(database)
            await asyncio.gather(*(other.close() for other in others))
            assert await read(database) == 1


async def set_read_only(url: str, to: str) -> None:
    """Sets it for sessions that begin from now on."""
    name = make_url(url).database
    connection = await asyncpg.connect(url)
    await connection.execute("set default_transaction_read_only = off")
    await connection.execute(f'alter database "{name}" set default_transaction_read_only = {to}')
    await connection.close()


async def terminate(url: str) -> None:
    """Ends all other sessions of the database."""
    connection = await asyncpg.connect(url)
    await connection.fetch(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_writes_succeed_as_soon_as_the_database_takes_them_again(
    database: Database, database_url: str
) -> None:
    assert await together(database, 5) == {1}
    await set_read_only(database_url, "on")
    await terminate(database_url)
    for _ in range(3):
        with pytest.raises(ReadOnly):
            await make_user(database)
    assert await together(database, 5) == {1}
    assert database.refused_writes.is_set()

    await set_read_only(database_url, "off")
    for _ in range(10):
        await make_user(database)


async def test_a_session_that_turns_read_only_is_not_lent_again(database: Database) -> None:
    """As a pooler would have it, which does not pass on what the server reports."""
    statement = text("insert into users (id, email) values (gen_random_uuid(), 'a')")

    async def write() -> None:
        async with database.write() as session:
            backends.append(await session.scalar(text("select pg_backend_pid()")))
            await session.execute(text("set transaction read only"))
            await session.execute(statement)

    backends: list[int] = []
    for _ in range(2):
        with pytest.raises(ReadOnly):
            await write()
    assert len(set(backends)) == 2


async def test_a_statement_does_not_wait_for_a_lock_for_ever(
    database: Database, database_url: str
) -> None:
    lock = text("lock table users in access exclusive mode")
    async with database.write() as holder, opened(database_url, lock_seconds=0.1) as other:
        await holder.execute(lock)
        with pytest.raises(Locked):
            await read(other, text("select count(*) from users"))
    assert await read(other, text("select count(*) from users")) == 0


async def test_a_pooler_is_not_asked_for_a_lock_timeout(database_url: str) -> None:
    show = text("show lock_timeout")
    behind = connection_info(database_url).behind(Pooler.TRANSACTION)
    async with opened(database_url) as direct, opened(behind) as pooled:
        assert [await read(database, show) for database in (direct, pooled)] == ["3s", "0"]


async def test_an_idle_connection_is_checked_out_at_once(database_url: str) -> None:
    async with opened(database_url, pool_size=1) as database:
        pool = cast("Pool", database.engine.pool)
        with pytest.raises(NoneIdle):
            pool.connect_idle()  # none is open
        await read(database)

        connection = pool.connect_idle()

        with pytest.raises(NoneIdle):
            pool.connect_idle()  # it is in use
        connection.close()
        assert pool.checkedin() == 1


async def test_a_connection_is_reserved_after_a_direct_read(database_url: str) -> None:
    statement = compile_statement(ONE, UNRESTRICTED)
    async with opened(database_url, pool_size=1) as database:
        pool = cast("Pool", database.engine.pool)
        await read(database)
        await fetch(database, statement, {})
        (kept,) = pool.reserved
        assert pool.checkedin() == 0
        await fetch(database, statement, {})
        assert pool.reserved == [kept]
        await read(database)  # takes the only connection
        assert (pool.reserved, pool.checkedin()) == ([], 1)

        await fetch(database, statement, {})
        await until(lambda: pool.checkedin() == 1)
        assert (pool.reserved, pool.timer) == ([], None)


async def test_a_connection_that_broke_while_reserved_is_not_used(database_url: str) -> None:
    statement = compile_statement(ONE, UNRESTRICTED)
    async with opened(database_url, pool_size=1) as database:
        pool = cast("Pool", database.engine.pool)
        await read(database)
        await fetch(database, statement, {})
        driver = pool.reserved[0].driver_connection
        pool._invalidate_time = time.time() + 60  # as for connections as old as one that broke
        with pytest.raises(NoneIdle):
            pool.connect_idle()
        pool._invalidate_time = 0
        await terminate(database_url)
        await until(driver.is_closed)
        assert [tuple(row) for row in await fetch(database, statement, {})] == [(1,)]


async def test_a_connection_that_must_be_opened_again_is_not_idle(database_url: str) -> None:
    statement = compile_statement(ONE, UNRESTRICTED)
    async with opened(database_url, pool_size=1) as database:
        pool = cast("Pool", database.engine.pool)
        assert [tuple(row) for row in await fetch(database, statement, {})] == [(1,)]
        connection = pool.connect_idle()
        driver = connection.driver_connection
        connection.close()
        await terminate(database_url)
        await until(driver.is_closed)
        with pytest.raises(NoneIdle):
            pool.connect_idle()
        assert pool.checkedin() == 1

        assert [tuple(row) for row in await fetch(database, statement, {})] == [(1,)]

        pool._recycle = 1e-9
        with pytest.raises(NoneIdle):
            pool.connect_idle()
        assert [tuple(row) for row in await fetch(database, statement, {})] == [(1,)]


async def test_a_connection_that_comes_back_after_the_end_is_closed(database_url: str) -> None:
    database = Database(database_url)
    statement = compile_statement(select(literal(1)), UNRESTRICTED)
    async with database.read() as session:
        in_session = await driver(session.connection)
        await fetch(database, statement, {})
        pool = cast("Pool", database.engine.pool)
        lent = pool.connect_idle()
        in_read = lent.driver_connection
        await database.close()
        pool.reserve(lent)
        pool.check_in()
    assert (in_session.is_closed(), in_read.is_closed()) == (True, True)
