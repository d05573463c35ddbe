"""Upkeep: agents that are silent are signed off as long as the gateway runs."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from db import Database
from db.agents import Agent
from factories import make_agent
from gateway import upkeep


async def status(database: Database) -> str:
    async with database.read() as session:
        return str(await session.scalar(select(Agent.status)))


async def test_silent_agents_are_signed_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "LOOK_SECONDS", 0.05)
    async with upkeep.upkeep(database):
        await make_agent(database, last_active=datetime.now(UTC) - timedelta(hours=1))
        async with asyncio.timeout(20):
            while await status(database) != "OFFLINE":  # noqa: ASYNC110  nothing says when
                await asyncio.sleep(0.02)


async def test_agents_have_time_to_report_after_a_start(database: Database) -> None:
    """Nobody took their reports before."""
    await make_agent(database, last_active=datetime.now(UTC) - timedelta(hours=1))
    async with upkeep.upkeep(database):
        assert await status(database) == "IDLE"
    assert await status(database) == "IDLE"
