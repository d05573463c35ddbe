"""A long answer is made in parts, between which the event loop serves others."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from db import Database
from graph.core.execution.plan import run as runs
from support.executors import needs_plans
from support.factories import START, make_metric

SERIES = """{ metricSeries(name: "x", from: "2026-01-01T00:00:00Z", bucket: MINUTE) {
  rows { bucket average count confidenceInterval { low high } }
} }"""
POINTS = 12


@pytest.fixture
async def points(database: Database) -> None:
    for minute in range(POINTS):
        for value in (minute, minute + 2):
            at = START + timedelta(minutes=minute)
            await make_metric(database, metric_name="x", value=value, timestamp=at)


async def test_others_have_turns_between_the_parts_of_many_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(runs, "SLICE", 3)
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    seen = [(list(part), turns) async for part in runs.in_slices(range(7))]
    task.cancel()

    parts, turns_before = zip(*seen, strict=True)
    assert parts == ([0, 1, 2], [3, 4, 5], [6])
    assert turns_before[0] < turns_before[1] < turns_before[2]


@needs_plans
@pytest.mark.usefixtures("points")
async def test_the_parts_are_the_whole_answer(data: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = await data(SERIES)
    monkeypatch.setattr(runs, "SLICE", 5)

    assert await data(SERIES) == whole
    assert len(whole["metricSeries"]["rows"]) == POINTS
