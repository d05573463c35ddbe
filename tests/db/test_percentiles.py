"""Percentiles from counts of values by steps differ from those of the values by at most 1 %."""

from datetime import timedelta
from random import Random

import pytest
from sqlalchemy import insert

from db import Database
from db.core.ids import uuid7
from db.core.query.time_range import TimeRange
from db.core.schema import partition
from db.core.session.row_rules import UNRESTRICTED
from db.metrics import Metric, sums
from support.rollups import roll

DAY = timedelta(days=1)
SHAPES = {
    "even": lambda random: random.uniform(0, 1_000),
    "skewed": lambda random: random.lognormvariate(3, 2),
    "below zero": lambda random: -random.lognormvariate(0, 3),
    "of both signs": lambda random: random.gauss(0, 50),
    "small": lambda random: random.uniform(1e-6, 1e-4),
    "large": lambda random: random.uniform(1e8, 9e8),
    "mostly zero": lambda random: random.choice([0] * 18 + [random.uniform(1, 9)] * 2),
    "all alike": lambda _: 12.34,
    "one value": lambda random: random.uniform(-9, 9),
}


@pytest.mark.parametrize("seed", range(3))
async def test_estimates_are_within_one_percent(database: Database, seed: int) -> None:
    random, now = Random(seed), await database.now()  # noqa: S311  no secret
    async with database.write() as session:
        await partition.ensure(session, Metric, [now - days * DAY for days in range(0, 90, 20)])
        rows = [
            {"id": uuid7(at), "timestamp": at, "metric_name": name, "value": round(value, 6)}
            for name, make in SHAPES.items()
            for at, value in (
                (now - 80 * DAY * random.random(), make(random))
                for _ in range(1 if name == "one value" else random.randrange(2, 400))
            )
        ]
        await session.execute(insert(Metric), rows)
    await roll(database)
    span = TimeRange(now - 75 * DAY, now - DAY / 3, now)

    async with database.read() as session:
        exact = dict(map(tuple, await session.rows(sums.p95(span, None))))
        estimated = dict(
            map(tuple, await session.rows(sums.estimated_p95(span, None, UNRESTRICTED)))
        )

    assert exact.keys() == estimated.keys()
    assert exact.keys() >= SHAPES.keys() - {"one value"}
    for name, value in exact.items():
        assert estimated[name] == pytest.approx(value, rel=0.01, abs=1e-9), name
