"""Database: reads, writes, and the loss of PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, text

from db import Database
from db.core.errors import TookTooLong, Unavailable
from db.core.ids import uuid7
from db.core.session import connection_shares
from db.core.timeouts import Kind, Timeouts, of_kind
from db.users import User
from support.factories import START, make_user
from support.query_count import statements
from support.wait import until

WHO = text("select pg_backend_pid()")
NOW = text("select now()")


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Somebody else on the same database."""
    database = Database(database_url)
    yield database
    await database.close()


async def kill(other: Database, *backends: int) -> None:
    """Ends backends, and waits until they are gone."""
    async with other.read() as session:
        for backend in backends:
            ended = text(f"select pg_terminate_backend({backend}, 5000)")
            assert await session.scalar(ended)


async def backend(borrowed: Any, statement: Any = WHO) -> Any:
    """The backend behind a session, or the answer to another statement."""
    async with borrowed() as session:
        return await session.scalar(statement)


def user(email: str) -> Any:
    return insert(User).values(id=uuid7(START), email=email)


async def emails(database: Database) -> list[Any]:
    async with database.read() as session:
        return [row[0] for row in await session.rows(text("select email from users"))]


# Reads.


async def test_a_statement_of_a_read_is_a_transaction_of_its_own(database: Database) -> None:
    async with database.read() as session:
        first, second = await session.scalar(NOW), await session.scalar(NOW)
        inside = await session.scalar(text("select pg_current_xact_id_if_assigned() is null"))

    assert first < second
    assert inside


async def test_a_read_sends_its_statement_and_nothing_else(
    database: Database, other: Database
) -> None:
    last = text("select query from pg_stat_activity where pid = :pid").bindparams
    async with database.read() as session:
        pid = await session.scalar(WHO)

    async with other.read() as session:
        assert await session.scalar(last(pid=pid)) == "select pg_backend_pid()"


async def test_a_read_sees_concurrent_commits(database: Database, other: Database) -> None:
    count = text("select count(*) from users")
    async with database.read() as session:
        before = await session.scalar(count)
        await make_user(other)
        after = await session.scalar(count)

    assert (before, after) == (0, 1)


async def test_a_session_reads_rows_records_and_values(database: Database) -> None:
    ada, bob = await make_user(database, email="ada"), await make_user(database, email="bob")
    ordered = User.select().order_by(User.id)

    async with database.read() as session:
        assert await session.rows(text("select 1 a, 2 b union all select 3, 4")) == [(1, 2), (3, 4)]
        assert await session.records(User, ordered) == [ada, bob]
        assert await session.record(User, ordered) == ada
        assert await session.record(User, ordered.where(User.email == "eve")) is None
        assert await session.scalar(text("select 1 where false")) is None


# Writes.


async def test_a_write_is_one_transaction_that_ends_with_its_block(
    database: Database, other: Database
) -> None:
    async with database.write() as session:
        assert await session.execute(user("ada")) == 1
        assert await session.scalar(NOW) == await session.scalar(NOW)
        assert await session.scalar(text("select email from users")) == "ada"
        assert await emails(other) == []

    assert await emails(other) == ["ada"]


async def test_a_write_that_fails_stores_nothing(database: Database) -> None:
    async def write() -> None:
        async with database.write() as session:
            await session.execute(user("ada"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write()

    assert await emails(database) == []


async def test_a_write_that_is_cancelled_stores_nothing(database: Database) -> None:
    stored = asyncio.Event()

    async def write() -> None:
        async with database.write() as session:
            await session.execute(user("ada"))
            stored.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await stored.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await emails(database) == []


# When PostgreSQL goes away.


async def test_a_read_on_a_dead_connection_is_repeated_once(
    database: Database, other: Database
) -> None:
    async with database.read() as session:
        killed = await session.scalar(WHO)
        await kill(other, killed)
        with statements(database, exactly=2):
            alive = await session.scalar(WHO)
        first, second = await session.scalar(NOW), await session.scalar(NOW)

    assert alive != killed
    assert first < second  # still each in a transaction of its own


async def test_a_pool_of_dead_connections_serves_the_next_read(
    database: Database, other: Database
) -> None:
    async def together() -> int:
        async with database.read() as session:
            await arrived.wait()
            return await session.scalar(WHO)

    arrived = asyncio.Barrier(3)
    killed = await asyncio.gather(*(together() for _ in range(3)))
    await kill(other, *killed)
    again = await asyncio.gather(*(together() for _ in range(3)))

    assert len({*killed, *again}) == 6


async def test_a_write_on_a_dead_connection_fails_and_stores_nothing(
    database: Database, other: Database
) -> None:
    async def write(*more: str) -> None:
        async with database.write() as session:
            await session.execute(user("ada"))
            await kill(other, await session.scalar(WHO))
            for email in more:
                await session.execute(user(email))

    for more in ((), ("bob",)):
        with pytest.raises(Unavailable):
            await write(*more)

    assert await emails(database) == []
    async with database.write() as session:
        await session.execute(user("ada"))
    assert await emails(database) == ["ada"]


async def test_a_read_that_is_cut_off_while_it_runs_is_repeated(
    database: Database, other: Database
) -> None:
    lock = text("lock table users in access exclusive mode")
    waiting = text(
        "select pid from pg_locks join pg_database on pg_database.oid = database"
        " where datname = current_database() and not granted"
    )

    async with other.write() as holder:
        await holder.execute(lock)
        read = asyncio.create_task(emails(database))
        pid = None
        while pid is None:
            pid = await holder.scalar(waiting)
        assert await holder.scalar(text(f"select pg_terminate_backend({pid}, 5000)"))

    assert await read == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres@127.0.0.1:1/nothing",
        "postgresql://postgres@nowhere.invalid/nothing",
        "postgresql://postgres@/nothing?host=/nowhere",
    ],
)
async def test_a_server_that_is_not_there_is_unavailable(url: str) -> None:
    database = Database(url)

    for borrowed in (database.read, database.write):
        with pytest.raises(Unavailable):
            await backend(borrowed)
    await database.close()


async def test_a_pool_that_is_used_up_is_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_shares, "WAIT_SECONDS", 0.01)
    database = Database(database_url, pool_size=1)

    async with database.read() as session:
        await session.scalar(WHO)
        with pytest.raises(Unavailable):
            await backend(database.read)
    assert await backend(database.read)
    await database.close()


async def test_a_statement_that_takes_too_long_is_unavailable(database_url: str) -> None:
    database = Database(database_url, timeouts=Timeouts(other=0.05))

    with pytest.raises(Unavailable):
        await backend(database.read, text("select pg_sleep(60)"))
    await database.close()


@pytest.mark.parametrize("kind", Kind)
async def test_a_statement_that_callers_shape_is_cancelled_by_its_kind(
    database: Database, database_url: str, kind: Kind
) -> None:
    seconds: Any = {kind: 0.05}
    limited = Database(database_url, timeouts=Timeouts(**seconds))
    sleeping = text("select count(*) from pg_stat_activity where query like 'select pg_sleep%'")

    with pytest.raises(TookTooLong):
        await backend(limited.read, of_kind(kind, text("select pg_sleep(60)")))

    async def cancelled() -> bool:
        async with database.read() as session:
            return await session.scalar(sleeping) == 0

    await until(cancelled)
    assert await backend(limited.read)
    await limited.close()
