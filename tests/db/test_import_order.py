"""Rows of one time keep the order of their file, and are recognised in later imports."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import insert, select

from db.core.ids import uuid7
from db.core.schema import partition
from db.events import Event
from db.importer import Counts
from support.imports import Ground, Line, at


def event(key: str, day: float = 0) -> Line:
    facts = {"eventType": key, "source": "test", "severity": "INFO"}
    line = {"kind": "event", "key": key, **facts, "payload": {}, "metadata": {}}
    return line | {"timestamp": at(day)}


async def types(ground: Ground, order: Any) -> list[str]:
    async with ground.database.read() as session:
        rows = await session.rows(select(Event.event_type).order_by(order))
    return [name for (name,) in rows]


async def is_in_order(ground: Ground, *names: str) -> bool:
    return await types(ground, Event.id) == await types(ground, Event.seq) == list(names)


NAMES = [f"event {n:02}" for n in (7, 3, 11, 0, 5, 9, 1, 10, 2, 8, 4, 6)]


async def test_events_of_one_time_keep_the_order_of_the_file(ground: Ground) -> None:
    await ground.load(*map(event, NAMES))
    assert await is_in_order(ground, *NAMES)


async def test_they_follow_those_that_were_imported_before(ground: Ground) -> None:
    await ground.load(*map(event, NAMES[:5]))
    await ground.load(*map(event, NAMES[5:]))
    assert await is_in_order(ground, *NAMES)


@pytest.mark.parametrize("again", [NAMES, NAMES[::-1], NAMES[4:9], NAMES[-1:]])
async def test_they_are_known_in_whatever_company(ground: Ground, again: list[str]) -> None:
    await ground.load(*map(event, NAMES))
    report = await ground.load(*map(event, again), *map(event, again))
    assert report.files[0].kinds == {"event": Counts(unchanged=2 * len(again))}
    assert await is_in_order(ground, *NAMES)


async def test_other_times_are_not_mixed_up(ground: Ground) -> None:
    lines = [event(name, day=n % 3) for n, name in enumerate(NAMES)]
    await ground.load(*lines)
    expected = [name for day in range(3) for name in NAMES[day::3]]
    assert await types(ground, Event.id) == expected


async def test_rows_imported_without_places_are_recognised(ground: Ground) -> None:
    """As earlier versions did it: a key decided the whole of an id."""
    line = event("old")
    time = datetime.fromisoformat(line["timestamp"])
    async with ground.database.write() as session:
        await partition.ensure(session, Event, [time])
        row = {"id": uuid7(time, "event:old"), "event_type": "old", "source": "test"}
        await session.execute(insert(Event).values({**row, "timestamp": time}))
    report = await ground.load(event("new"), line)
    assert report.files[0].kinds == {"event": Counts(inserted=1, unchanged=1)}
    assert sorted(await types(ground, Event.id)) == ["new", "old"]
