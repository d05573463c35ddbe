"""Subscribers while their database is replaced by an older copy of itself.

What was stored since the copy was made is gone, and its numbers are given again to other rows. So
every subscriber has to be told, those who stayed connected and those who come back with a cursor,
and what they know afterwards has to be what is stored.
"""

from collections.abc import Collection
from datetime import UTC, datetime

import asyncpg
import pytest
from sqlalchemy import make_url, select

import db
from db import Database
from db.agents import AgentReport
from db.core.ingest.writer import Ingestion
from faults.followers import (
    HISTORY,
    STATUS,
    Dashboard,
    Follower,
    Listener,
    event_stream,
    following,
    websocket,
)
from gateway.settings import Settings
from support.databases import create_database, drop_database
from support.running_gateway import serving

REASONS = {"AHEAD", "DIVERGED"}
SHOWN = {"a1": "ERROR", "a2": "IDLE", "new": "ERROR"}


async def report(url: str, status: str, keys: Collection[str]) -> None:
    """Agents report, past the gateway."""
    database = Database(url, pool_size=1)
    rows = [
        {"agent_key": key, "status": status, "current_task": None, "error": None} for key in keys
    ]
    items = [db.agents.reports.report(row, datetime.now(UTC), None) for row in rows]
    assert not await Ingestion(database).submit(db.agents.reports.REPORTED, items)
    await database.close()


async def restore(server_url: str, copy: str, url: str) -> None:
    """Puts the copy in the place of a database, whoever is connected to it."""
    await drop_database(server_url, url)
    connection = await asyncpg.connect(server_url)
    names = make_url(url).database, make_url(copy).database
    await connection.execute('create database "{}" template "{}"'.format(*names))
    await connection.close()


async def seqs(url: str) -> list[int]:
    database = Database(url, pool_size=1)
    async with database.read() as session:
        found = await session.rows(select(AgentReport.seq).order_by(AgentReport.seq))
    await database.close()
    return [seq for (seq,) in found]


def crowd() -> list[Follower]:
    """Ten over WebSockets and four over event streams, half of them dashboards."""
    transports = [*[websocket] * 10, *[event_stream] * 4]
    return [
        Dashboard(STATUS, t) if n % 2 else Listener(HISTORY, t, rows="reports")
        for n, t in enumerate(transports)
    ]


@pytest.fixture
async def copy(server_url: str, database_url: str) -> str:
    """An older copy of this test's database, in which two agents have reported."""
    await report(database_url, "IDLE", ["a1", "a2"])
    return await create_database(server_url, database_url)


@pytest.mark.parametrize("lost", [5, 1], ids=["behind", "passed"])
async def test_connected_subscribers_are_reset(
    server_url: str, database_url: str, copy: str, lost: int
) -> None:
    """Whether the new rows have reached the numbers of the lost ones yet, or passed them."""
    database, followers = Database(database_url), crowd()
    async with (
        serving(Settings(_env_file=None), database) as served,
        following(served.address, followers),
    ):
        await report(database_url, "RUNNING", [f"lost{n}" for n in range(lost)])
        await _all_know(followers, "lost0", lost)
        await restore(server_url, copy, database_url)
        await report(database_url, "ERROR", ["a1", "new"])
        await _all_are_right(followers)
        await _all_go_on(followers, database_url)

        assert [set(f.resets) & REASONS for f in followers].count(set()) == 0


async def test_a_returning_agent_is_reported(server_url: str, database_url: str, copy: str) -> None:
    database, followers = Database(database_url), crowd()
    async with (
        serving(Settings(_env_file=None), database) as served,
        following(served.address, followers),
    ):
        await report(database_url, "RUNNING", ["lost0"])
        await _all_know(followers, "lost0", 1)
    await restore(server_url, copy, database_url)
    await report(database_url, "ERROR", ["a1", "new"])
    database = Database(database_url)
    async with (
        serving(Settings(_env_file=None), database) as served,
        following(served.address, followers),
    ):
        await _all_are_right(followers)
        await _all_go_on(followers, database_url)

        assert [set(f.resets) & REASONS for f in followers].count(set()) == 0


async def _all_know(followers: list[Follower], key: str, rows: int) -> None:
    for follower in followers:
        if isinstance(follower, Dashboard):
            await follower.until(lambda f=follower: key in f.agents)
        elif isinstance(follower, Listener):
            await follower.until(lambda f=follower: len(f.seqs) == rows)


async def _all_are_right(followers: list[Follower]) -> None:
    """Everybody was told, and dashboards show what is stored."""
    for follower in followers:
        await follower.until(lambda f=follower: bool(f.resets))
        if isinstance(follower, Dashboard):
            await follower.until(lambda f=follower: statuses(f) == SHOWN)


async def _all_go_on(followers: list[Follower], url: str) -> None:
    """What is stored from now on is told in its order, nothing else was since the reset."""
    await report(url, "PAUSED", ["a2"])
    stored = await seqs(url)
    for follower in followers:
        if isinstance(follower, Dashboard):
            await follower.until(lambda f=follower: statuses(f) == {**SHOWN, "a2": "PAUSED"})
        elif isinstance(follower, Listener):
            await follower.until(lambda f=follower: f.seqs[-1:] == stored[-1:])
            assert follower.seqs == stored[-len(follower.seqs) :]


def statuses(dashboard: Dashboard) -> dict[str, str]:
    return {key: agent["status"] for key, agent in dashboard.agents.items()}
