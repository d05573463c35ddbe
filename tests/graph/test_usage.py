"""Usage: what PostgreSQL reports of itself, also to a role that may not see everything."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

import db
from db import Database
from db.core.schema import partition
from db.core.table import Table
from db.users import Role
from graph.core.context import Context
from graph.core.execution.execute import execute
from graph.core.execution.operation import prepare
from graph.core.execution.result import OperationResult
from graph.core.principal import DEVELOPER, Principal
from graph.schema import schema
from support.factories import make_dream, make_event
from support.query_count import statements

Data = Callable[..., Awaitable[Any]]
Run = Callable[..., Awaitable[OperationResult]]

USAGE = "{ usage { name rows totalBytes tableBytes indexBytes partitions } }"
HEALTH = """{
    databaseHealth {
        version startedAt databaseBytes cacheHitRatio connections { open active idle max }
        replication { applicationName state syncState lagBytes lagSeconds }
        clientGroups { application state connections longestSeconds }
        indexUsage { table index scans rowsRead bytes }
        slowStatements { query calls totalMs meanMs rows }
        slowStatementsUnavailable
    }
}"""
STARTED = """
    select to_char(pg_postmaster_start_time() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
"""
CLIENTS = """{ databaseHealth {
    clientGroups { application state connections longestSeconds } } }"""
NOT_CREATED = "The extension pg_stat_statements is not created in this database."


@pytest.fixture
async def ordinary(database: Database) -> AsyncIterator[Database]:
    """The same database, opened by a role that was granted nothing."""
    role = f"reader_{uuid4().hex}"
    await administer(database, f"create role {role} login")
    opened = Database(database.url.set(user=role))
    yield opened
    await opened.close()
    await administer(database, f"drop role {role}")


async def administer(database: Database, *texts: str) -> None:
    async with database.write() as session:
        for statement in texts:
            await session.execute(text(statement))


async def scalar(database: Database, statement: str) -> Any:
    async with database.read() as session:
        return await session.scalar(text(statement))


async def test_usage_is_one_statement_for_all_our_tables(database: Database, data: Data) -> None:
    with statements(database, exactly=1):
        tables = (await data(USAGE))["usage"]

    assert {table["name"] for table in tables} == set(Table.metadata.tables)
    sizes = [int(table["totalBytes"]) for table in tables]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes == [int(table["tableBytes"]) + int(table["indexBytes"]) for table in tables]


async def test_the_usage_of_a_table_is_that_of_its_partitions(
    database: Database, data: Data
) -> None:
    for month in (1, 2, 2):
        await make_event(database, timestamp=datetime(2019, month, 1, tzinfo=UTC))
    await administer(database, "analyze system_events")
    async with database.read() as session:
        parts = await partition.partitions(session, db.events.Event)
    sums = [await scalar(database, f"select pg_total_relation_size('{part}')") for part in parts]

    (events,) = [t for t in (await data(USAGE))["usage"] if t["name"] == "system_events"]

    assert events == {
        "name": "system_events",
        "rows": "3",
        "totalBytes": str(sum(sums)),
        "tableBytes": str(int(events["totalBytes"]) - int(events["indexBytes"])),
        "indexBytes": events["indexBytes"],
        "partitions": len(parts),
    }


async def test_rows_are_known_before_the_first_analyze(database: Database, data: Data) -> None:
    async with database.write() as session:
        await make_dream(session)
        await session.rows(text("select pg_stat_force_next_flush()"))

    tables = (await data("{ usage { name rows partitions } }"))["usage"]

    assert {"name": "dreams", "rows": "1", "partitions": 0} in tables


async def test_all_figures_are_one_statement(database: Database, data: Data) -> None:
    document = """{
        databaseHealth {
            version startedAt databaseBytes cacheHitRatio connections { open active idle max }
            slowStatementsUnavailable
        }
    }"""
    with statements(database, exactly=1):
        health = (await data(document))["databaseHealth"]

    ratio, connections = health["cacheHitRatio"], health["connections"]
    assert health == {
        "version": (await scalar(database, "show server_version")).split()[0],
        "startedAt": await scalar(database, STARTED),
        "databaseBytes": health["databaseBytes"],
        "cacheHitRatio": ratio,
        "connections": connections,
        "slowStatementsUnavailable": NOT_CREATED,
    }
    assert int(health["databaseBytes"]) > 1_000_000
    assert 0 <= ratio <= 1
    assert connections["active"] >= 1
    assert connections["idle"] >= 0
    assert connections["max"] == int(await scalar(database, "show max_connections"))
    assert connections["open"] <= connections["max"]


async def test_only_selected_figures_are_read(database: Database, data: Data) -> None:
    with statements(database, exactly=1) as seen:
        await data("{ databaseHealth { version } }")

    assert seen == [f"SELECT {db.usage.FIGURES['version']}"]


async def test_indexes_are_reported_with_their_partitions(database: Database, data: Data) -> None:
    with statements(database, exactly=1):
        answer = await data("{ databaseHealth { indexUsage { table index bytes } } }")

    found = answer["databaseHealth"]["indexUsage"]
    expected = await scalar(
        database,
        "select array_agg(indrelid::regclass || ' ' || indexrelid::regclass) from pg_index"
        " join pg_class on pg_class.oid = indrelid where not relispartition"
        " and relnamespace = 'public'::regnamespace"
        " and relname <> 'dreamnet_version' and relname not like 'procrastinate%'",
    )
    assert sorted(f"{index['table']} {index['index']}" for index in found) == sorted(expected)
    (events,) = [index["bytes"] for index in found if index["index"] == "pk_system_events"]
    size = await scalar(
        database,
        "select sum(pg_relation_size(relid)) from pg_partition_tree('pk_system_events')",
    )
    assert events == str(size)


async def test_a_search_counts_for_its_index(database: Database, data: Data) -> None:
    await make_event(database, timestamp=datetime(2019, 1, 1, tzinfo=UTC))
    await make_event(database, timestamp=datetime(2019, 2, 1, tzinfo=UTC))
    async with database.write() as session:
        await session.execute(text("set local enable_seqscan = off"))
        await session.rows(text("select 1 from system_events where seq between 1 and 2"))
        await session.rows(text("select pg_stat_force_next_flush()"))

    document = "{ databaseHealth { indexUsage { index scans rowsRead } } }"
    used = (await data(document))["databaseHealth"]["indexUsage"]

    async with database.read() as session:
        partitions = len(await partition.partitions(session, db.events.Event))
    assert used[0] == {"index": "ix_system_events_seq", "scans": str(partitions), "rowsRead": "2"}


async def test_clients_are_grouped_by_application_and_state(database: Database, data: Data) -> None:
    async with database.write() as session:
        await session.execute(text("set local application_name = 'a crawler'"))
        groups = (await data(CLIENTS))["databaseHealth"]["clientGroups"]
    [crawler] = [each for each in groups if each["application"] == "a crawler"]
    assert (crawler["state"], crawler["connections"]) == ("idle in transaction", 1)
    assert crawler["longestSeconds"] >= 0


async def test_feeds_have_the_numbers_of_their_rows(database: Database, data: Data) -> None:
    for _ in range(3):
        await make_event(database)
    with statements(database, exactly=1):
        answer = await data("{ databaseHealth { feeds { name first last } } }")
    newest = await scalar(database, "select max(seq) from system_events")
    feeds = {
        each["name"]: (each["first"], each["last"]) for each in answer["databaseHealth"]["feeds"]
    }
    assert list(feeds) == ["agents", "changes", "events", "metrics"]
    assert feeds["events"] == ("1", str(newest))
    assert feeds["metrics"] == ("1", None)


async def test_slow_statements_are_null_with_a_reason(database: Database, data: Data) -> None:
    document = "{ databaseHealth { slowStatements { query } slowStatementsUnavailable } }"
    with statements(database, exactly=1):
        answer = await data(document)

    assert answer == {
        "databaseHealth": {"slowStatements": None, "slowStatementsUnavailable": NOT_CREATED}
    }


async def test_the_slowest_statements_are_those_of_this_database_that_one_may_see(
    database: Database,
) -> None:
    """On a table of the shape that pg_stat_statements has in every version since 13."""
    await administer(
        database,
        'create schema "My Extensions"',
        'create table "My Extensions".pg_stat_statements as'
        " select 'select ' || n as query, 2 * n as calls, n * 10.0::float as total_exec_time,"
        " 5.0::float as mean_exec_time, n as rows, n::bigint as queryid, oid as dbid"
        " from generate_series(1, 23) as n, pg_database where datname = current_database()",
        'update "My Extensions".pg_stat_statements set queryid = null where rows = 23',
        'update "My Extensions".pg_stat_statements set dbid = 1 where rows = 22',
    )
    async with database.read() as session:
        rows = await session.rows(db.usage.slowest("My Extensions"))

    assert [tuple(row) for row in rows] == [
        (f"select {n}", 2 * n, n * 10.0, 5.0, n) for n in range(21, 1, -1)
    ]


async def test_an_ordinary_role_may_ask_for_everything(ordinary: Database) -> None:
    context = Context(ordinary, DEVELOPER, "request")
    usage = await execute(prepare(schema, USAGE), None, context)
    health = await execute(prepare(schema, HEALTH), None, context)

    assert (usage.errors, health.errors) == ([], [])
    assert usage.data is not None
    assert health.data is not None
    assert {table["name"] for table in usage.data["usage"]} == set(Table.metadata.tables)
    shown = health.data["databaseHealth"]
    assert {index["table"] for index in shown["indexUsage"]} == set(Table.metadata.tables)
    assert (shown["replication"], shown["slowStatements"]) == ([], None)
    assert shown["slowStatementsUnavailable"] == NOT_CREATED


async def test_an_ordinary_role_sees_only_its_own_connections_at_work(ordinary: Database) -> None:
    document = "{ databaseHealth { connections { active } } }"
    answer = await execute(prepare(schema, document), None, Context(ordinary, DEVELOPER, "request"))

    assert answer == OperationResult({"databaseHealth": {"connections": {"active": 1}}}, [])


@pytest.mark.parametrize(("role", "codes"), [(Role.MEMBER, ["FORBIDDEN"]), (Role.OPERATOR, [])])
async def test_usage_is_for_operators(run: Run, role: Role, codes: list[str]) -> None:
    document = "{ usage { name } databaseHealth { version } }"
    answer = await run(document, who=Principal(role=role))

    assert [error["extensions"]["code"] for error in answer.errors] == codes
