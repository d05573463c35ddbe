"""Partitions: created once, and the only ones that a time range reads."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Select, text
from sqlalchemy.exc import IntegrityError

from db import Database
from db.agents import AgentReport
from db.ai_tests import AiTest
from db.analytics import UserAction
from db.core import ids
from db.core.schema import partition
from db.events import Event
from db.metrics import Metric
from support.factories import make_ai_test, make_event
from support.query_count import statements
from support.wait import patience

MARCH = datetime(2019, 3, 14, 15, 9, 26, tzinfo=UTC)
LAST_INSTANT = datetime(2019, 3, 31, 23, 59, 59, 999999, tzinfo=UTC)
APRIL = datetime(2019, 4, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("months", "expected"),
    [(0, (2019, 3)), (1, (2019, 4)), (9, (2019, 12)), (10, (2020, 1)), (-3, (2018, 12))],
)
def test_following_counts_months_over_the_years(months: int, expected: tuple[int, int]) -> None:
    assert partition.next_month(MARCH, months) == datetime(*expected, 1, tzinfo=UTC)


def test_partitioned_are_the_tables_that_grow_for_ever() -> None:
    tables = {table.name for table in partition.partitioned()}
    growing = (AiTest, AgentReport, Event, Metric, UserAction)
    assert tables == {table.__tablename__ for table in growing}


async def test_ensure_creates_and_returns_missing_partitions(database: Database) -> None:
    async with database.write() as session:
        made = await partition.ensure(session, AiTest, [APRIL, MARCH, LAST_INSTANT])
        assert made == ["ai_tests_y2019m03", "ai_tests_y2019m04"]
        assert (await partition.partitions(session, AiTest))[:2] == made


async def test_ensure_is_one_statement_where_all_is_there(database: Database) -> None:
    async with database.write() as session:
        await partition.ensure(session, AiTest, [MARCH, APRIL])
    with statements(database, exactly=1):
        async with database.write() as session:
            assert await partition.ensure(session, AiTest, [MARCH, APRIL]) == []


async def test_many_may_ensure_the_same_month_at_once(database: Database) -> None:
    async def ensure() -> list[str]:
        async with database.write() as session:
            return await partition.ensure(session, Event, [MARCH])

    made = await asyncio.gather(*(ensure() for _ in range(5)))
    assert sorted(made) == [[], [], [], [], ["system_events_y2019m03"]]


async def test_ahead_covers_the_previous_month_to_three_ahead(database: Database) -> None:
    assert await partition.ensure_ahead(database) == []  # the template has had it
    made = await partition.ensure_ahead(database, months=4)
    assert len(made) == len(partition.partitioned())
    async with database.read() as session:
        assert len(await partition.partitions(session, Metric)) == 6


async def test_a_month_ends_with_its_last_microsecond(database: Database) -> None:
    await make_event(database, timestamp=LAST_INSTANT)
    await make_event(database, timestamp=APRIL)
    statement = text("select tableoid::regclass::text from system_events order by id")
    async with database.read() as session:
        stored = [row[0] for row in await session.rows(statement)]
    assert stored == ["system_events_y2019m03", "system_events_y2019m04"]


async def test_a_row_without_a_partition_is_refused(database: Database) -> None:
    statement = text(
        "insert into performance_metrics (id, metric_name, value, timestamp)"
        " values (:id, 'cpu', 1, :at)"
    )
    with pytest.raises(IntegrityError, match="no partition of relation"):
        async with database.engine.begin() as connection:
            await connection.execute(statement, {"id": ids.uuid7(MARCH), "at": MARCH})


async def test_a_window_of_time_reads_one_partition(database: Database) -> None:
    await make_ai_test(database, created_at=MARCH)
    await make_ai_test(database, created_at=APRIL)
    window = AiTest.select().where(
        AiTest.id >= ids.floor(partition.month(MARCH)), AiTest.id < ids.floor(APRIL)
    )
    plan = await _plan(database, window)
    assert "ai_tests_y2019m03" in plan
    assert "ai_tests_y2019m04" not in plan


async def test_readers_go_on_while_a_partition_is_made(database: Database) -> None:
    async with database.write() as maker:
        await partition.ensure(maker, AiTest, [MARCH])
        async with patience(), database.read() as reader:
            assert await reader.rows(AiTest.select()) == []


async def _plan(database: Database, statement: Select[Any]) -> str:
    literal = statement.compile(database.engine.sync_engine, compile_kwargs={"literal_binds": True})
    async with database.read() as session:
        rows = await session.rows(text(f"explain (costs off) {literal}"))
    return "\n".join(row[0] for row in rows)
