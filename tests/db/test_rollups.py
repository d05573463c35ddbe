"""Rollups: their sums equal those of the rows, whatever was written, and when."""

import asyncio
import json
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, func, insert, select, update

from db import Database, retention, rollups
from db.core.ids import uuid7
from db.core.query.time_range import TimeRange
from db.core.rollup import RollupMark, RollupState, rolling
from db.core.schema import partition
from db.core.session.row_rules import UNRESTRICTED, Visibility
from db.importer import import_files
from db.metrics import Metric, sums as of_metrics
from support.effort import SEEDS
from support.factories import make_metric
from support.imports import metric
from support.query_plans import explained
from support.rollups import ChangingRows, answers, raw, roll
from support.wait import until

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ROLL = """
import asyncio, sys
from db import Database, rollups

async def main():
    database = Database(sys.argv[1])
    while True:
        await rollups.roll(database)

asyncio.run(main())
"""


@pytest.mark.parametrize("seed", SEEDS)
async def test_sums_equal_those_of_the_rows(database: Database, seed: int) -> None:
    world = ChangingRows(database, seed)
    await world.begin()
    await world.insert(40)
    who = [UNRESTRICTED, Visibility(), Visibility(user_id=world.users[0]), Visibility(shared=True)]

    for step in range(12):
        world.random.seed(1000 * seed + step)
        if world.random.random() < 0.5:
            await roll(database)
        if world.random.random() < 0.6:
            await world.insert(5)
        if world.random.random() < 0.8:
            await world.change()
        asked, each = world.random.randrange(10**9), world.random.choice(who)
        assert await answers(world, asked, each) == await raw(world, asked, each)

    await roll(database)
    verified = await rollups.verify(database)
    assert [(each.rollup.name, each.wrong) for each in verified if each.wrong] == []
    assert all(each.closed for each in verified)
    async with database.read() as session:
        assert await session.rows(select(RollupMark.number)) == []


@pytest.fixture
async def closed(database: Database) -> Database:
    """A database with closed periods of a few days, one metric an hour."""
    now = await database.now()
    async with database.write() as session:
        await partition.ensure(session, Metric, [now - 5 * DAY, now])
    for hours in range(1, 97):
        await make_metric(database, timestamp=now - hours * HOUR, metric_name="x", value=hours)
    await roll(database)
    return database


async def count(database: Database) -> int:
    """The number of all metrics, as a summary counts them."""
    now = await database.now()
    statement = of_metrics.summary(TimeRange(now - 30 * DAY, None, now), None, UNRESTRICTED)
    async with database.read() as session:
        return sum(row._mapping["count"] for row in await session.rows(statement))


async def read_from_rows(database: Database, url: str) -> float:
    """The number of metrics that a summary of 30 days reads as rows."""
    async with explained(database, url, having="GROUP BY") as plans:
        await count(database)
    [plan] = plans
    return sum(
        node["Actual Rows"] * node["Actual Loops"]
        for node in plan.nodes()
        if node.get("Relation Name", "").startswith("performance_metrics")
    )


def metric_of(at: datetime) -> dict[str, object]:
    return {"id": uuid7(at), "metric_name": "x", "value": 1, "timestamp": at}


async def test_rows_of_closed_periods_are_not_read(closed: Database, database_url: str) -> None:
    assert await count(closed) == 96
    assert await read_from_rows(closed, database_url) <= 2


async def test_a_transaction_that_missed_the_bound_is_waited_for(database: Database) -> None:
    """Its trigger ran while its hour was open, so it left no mark."""
    now = await database.now()
    await make_metric(database, timestamp=now - 3 * HOUR)
    async with database.write() as late:
        await late.execute(insert(Metric).values(metric_of(now - 2 * HOUR)))
        await rollups.roll(database)
        async with database.read() as session:
            states = await session.rows(select(RollupState.closing, RollupState.closed))
    before = await count(database)
    await roll(database)

    assert {closed for _, closed in states} == {None}
    assert None not in {closing for closing, _ in states}
    assert before == await count(database) == 2
    assert [each.wrong for each in await rollups.verify(database)] == [[]] * len(rollups.ROLLUPS)


async def test_a_mark_stays_until_its_transaction_is_seen(closed: Database) -> None:
    now = await closed.now()
    async with closed.write() as late:
        await late.execute(delete(Metric).where(Metric.value == 50))
        await make_metric(closed, timestamp=now - 50 * HOUR, metric_name="x")
        await rollups.roll(closed)
        during = await count(closed)
    after = await count(closed)
    await roll(closed)

    assert (during, after, await count(closed)) == (97, 96, 96)
    assert [each.wrong for each in await rollups.verify(closed)] == [[]] * len(rollups.ROLLUPS)


async def test_imported_rows_are_counted_at_once(closed: Database, tmp_path: Path) -> None:
    now = await closed.now()
    path = tmp_path / "late.jsonl"
    path.write_text(json.dumps(metric(0, timestamp=(now - 60 * HOUR).isoformat())))
    await import_files(closed, [path], rejects_dir=tmp_path)

    before = await count(closed)
    await roll(closed)

    assert before == await count(closed) == 97


async def test_closing_continues_on_a_restored_server(closed: Database) -> None:
    """The horizon is a number of the server that the database was copied from."""
    earlier = func.now() - timedelta(hours=30)
    async with closed.write() as session:
        restored = {"horizon": 2**60, "closed": func.date_trunc("day", earlier)}
        await session.execute(update(RollupState).values(restored))

    await roll(closed)

    async with closed.read() as session:
        states = await session.rows(select(RollupState.closing, RollupState.closed))
    assert all(closing == closed for closing, closed in states)
    assert await count(closed) == 96


async def test_rollups_of_earlier_versions_are_forgotten(database: Database) -> None:
    """Unless a gateway of that version still closes their periods."""
    now = await database.now()
    closed = {"abandoned": now - timedelta(days=8), "in_use": now - DAY}
    async with database.write() as session:
        for name, at in closed.items():
            state = {"name": name, "source": "ai_tests", "width": "DAY", "bound": uuid7(at)}
            await session.execute(insert(RollupState).values(**state, closing=at, closed=at))
            await session.execute(insert(RollupMark).values(rollup=name, period=at))

    await rollups.roll(database)

    async with database.read() as session:
        states = {name for (name,) in await session.rows(select(RollupState.name))}
        marks = {name for (name,) in await session.rows(select(RollupMark.rollup))}
    assert states == {"in_use", *(each.name for each in rollups.ROLLUPS)}
    assert marks == {"in_use"}


async def test_sums_of_expired_months_are_deleted(database: Database) -> None:
    now = await database.now()
    long_ago = now - timedelta(days=400)
    async with database.write() as session:
        await partition.ensure(session, Metric, [long_ago])
    await make_metric(database, timestamp=long_ago)
    await make_metric(database, timestamp=now - 2 * HOUR)
    await roll(database)

    await retention.expire(database, {"metrics": timedelta(days=90)})

    assert [each.wrong for each in await rollups.verify(database)] == [[]] * len(rollups.ROLLUPS)
    assert await count(database) == 1


async def test_a_killed_process_leaves_nothing_wrong(closed: Database, database_url: str) -> None:
    """It is killed while it computes; another one continues."""
    for each in rollups.ROLLUPS:
        await rolling.reset(closed, each)
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", ROLL, database_url)
    await until(lambda: _some_are_computed(closed))
    process.send_signal(signal.SIGKILL)
    await process.wait()

    assert await count(closed) == 96
    await roll(closed)
    assert await count(closed) == 96
    assert [each.wrong for each in await rollups.verify(closed)] == [[]] * len(rollups.ROLLUPS)
    assert await read_from_rows(closed, database_url) <= 2


async def _some_are_computed(database: Database) -> bool:
    async with database.read() as session:
        return await session.scalar(select(of_metrics.MetricSums.count).limit(1)) is not None
