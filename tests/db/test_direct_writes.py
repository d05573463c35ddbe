"""Direct writes keep what SQLAlchemy's execution gives: errors, healthy connections, shares."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlalchemy import Integer, Text, bindparam, func, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import ClauseElement

from db import Database
from db.core.errors import DomainError, Invalid, ReadOnly, Unavailable
from db.core.session.direct_writes import DirectConnection, compile_write
from db.core.session.pg_errors import domain_error_of
from support.databases import execute
from support.stored_rows import rows
from support.wait import until

SUM = select(bindparam("left", type_=Integer) + literal(1))
SLEEP = select(func.pg_sleep(60))
END = select(func.pg_terminate_backend(func.pg_backend_pid()))
LENGTH = select(func.length(bindparam("text", type_=Text)))


@pytest.fixture
async def single(database: Database) -> AsyncIterator[Database]:
    """A database with one connection: a lost one would be missed."""
    single = Database(database.url, pool_size=1)
    yield single
    await single.close()


async def sent(database: Database, statement: ClauseElement, **parameters: object) -> Sequence[int]:
    async with DirectConnection(database) as connection:
        rows = await connection.execute(compile_write(database, statement), parameters)
    return [row[0] for row in rows]


async def error_of(
    database: Database, statement: ClauseElement, **parameters: object
) -> DomainError:
    with pytest.raises(DBAPIError) as raised:
        await sent(database, statement, **parameters)
    assert "secret" not in str(raised.value)
    error = domain_error_of(raised.value)
    assert error is not None
    return error


async def test_constants_and_parameters_are_sent(single: Database) -> None:
    assert await sent(single, SUM, left=41) == [42]


async def test_a_refused_statement_is_a_domain_error_and_keeps_the_connection(
    single: Database,
) -> None:
    pid = await sent(single, select(func.pg_backend_pid()))
    assert isinstance(await error_of(single, LENGTH, text="secret\0"), Invalid)
    assert await sent(single, select(func.pg_backend_pid())) == pid


async def test_a_broken_connection_is_replaced(single: Database) -> None:
    pid = await sent(single, select(func.pg_backend_pid()))
    assert isinstance(await error_of(single, END), Unavailable)
    assert await sent(single, select(func.pg_backend_pid())) != pid


async def is_asleep(database: Database) -> bool:
    """Whether a session executes SLEEP."""
    asleep = text("select count(*) from pg_stat_activity where wait_event = 'PgSleep'")
    return bool((await rows(database, asleep))[0][0])


async def test_a_cancelled_statement_gives_its_connection_back(
    database: Database, single: Database
) -> None:
    task = asyncio.create_task(sent(single, SLEEP))
    await until(lambda: is_asleep(database))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await sent(single, SUM, left=1) == [2]
    assert single.limiter.held == 0


async def test_a_read_only_database_is_refused_before_anything_is_sent(
    database_url: str, single: Database
) -> None:
    name = database_url.rpartition("/")[2].partition("?")[0]
    await execute(database_url, f'alter database "{name}" set default_transaction_read_only = on')
    with pytest.raises(ReadOnly):
        await sent(single, SUM, left=1)
    assert single.refused_writes.is_set()


async def test_a_server_that_is_down_is_unavailable() -> None:
    away = Database("postgresql://nobody@127.0.0.1:9/none", pool_size=1)
    error = await error_of_connecting(away)
    assert isinstance(error, Unavailable)
    assert away.limiter.held == 0
    await away.close()


async def error_of_connecting(database: Database) -> DomainError | None:
    with pytest.raises((OSError, DBAPIError)) as raised:
        await sent(database, SUM, left=1)
    return domain_error_of(raised.value)
