"""`dreamnet doctor --verify` finds sums that differ from the rows, and `--rebuild` mends them."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from db import Database
from support.commands import Dreamnet
from support.databases import execute, rows_of
from support.factories import make_dream, make_metric
from support.rollups import roll

WAITING = """
    insert into pending_replays (dream_id, since, created_at)
    select id, id, now() - interval '1 hour' from dreams
"""


async def _with_sums(url: str) -> None:
    database = Database(url)
    now = await database.now()
    await make_metric(database, timestamp=now - timedelta(days=2))
    await make_dream(database)
    await roll(database)
    await database.close()


async def _roll(url: str) -> None:
    database = Database(url)
    await roll(database)
    await database.close()


def test_doctor_verifies_and_rebuilds(
    dreamnet: Dreamnet, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    asyncio.run(_with_sums(database_url))
    assert dreamnet("doctor", "--verify", DATABASE_URL=database_url) == 0
    sound = capsys.readouterr().out
    asyncio.run(execute(database_url, "update metric_sums set total = total + 1"))
    asyncio.run(execute(database_url, WAITING))
    assert dreamnet("doctor", DATABASE_URL=database_url) == 0
    capsys.readouterr()
    assert dreamnet("doctor", "--verify", DATABASE_URL=database_url) == 1
    broken = " ".join(capsys.readouterr().out.split())
    assert dreamnet("doctor", "--rebuild", "--verify", DATABASE_URL=database_url) == 0
    asyncio.run(_roll(database_url))
    assert dreamnet("doctor", "--verify", DATABASE_URL=database_url) == 0

    assert "closed periods equal the rows" in sound
    assert "rollup metric_sums" in broken
    assert "dreamnet doctor --rebuild" in broken
    assert "none waits for a correction" in sound
    assert "left those of 1 dreams to correct" in broken
    counts = text("select count(*) from metric_sums")
    assert asyncio.run(rows_of(database_url, counts)) != [(0,)]
