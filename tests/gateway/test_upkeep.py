"""Maintenance: silent agents are marked offline while the gateway runs, even after failures."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from db import Database
from db.agents import Agent
from db.core.schema.months import COMPACTED, months
from gateway import maintenance
from support.factories import make_agent, make_metric
from support.gateways import production
from support.maintenance import attempt_all
from support.wait import until


async def is_offline(database: Database) -> bool:
    async with database.read() as session:
        return await session.scalar(select(Agent.status)) == "OFFLINE"


async def test_silent_agents_are_signed_off(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "LOOK_SECONDS", 0.05)
    async with maintenance.run_maintenance(database, production()):
        await make_agent(database, last_active=datetime.now(UTC) - timedelta(hours=1))
        await until(lambda: is_offline(database))


async def test_agents_have_time_to_report_after_a_start(database: Database) -> None:
    """Nobody took their reports before."""
    await make_agent(database, last_active=datetime.now(UTC) - timedelta(hours=1))
    async with maintenance.run_maintenance(database, production()):
        assert not await is_offline(database)
    assert not await is_offline(database)


async def test_closed_months_are_compacted_while_the_gateway_runs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make_metric(database, timestamp=datetime(2020, 5, 17, tzinfo=UTC))
    monkeypatch.setattr(maintenance, "HOUR_SECONDS", 0.05)
    settings = production(keep_changes_days=0)  # nothing else to delete takes its turn
    async with maintenance.run_maintenance(database, settings):
        await until(lambda: is_compacted(database, "performance_metrics_y2020m05"))


async def is_compacted(database: Database, name: str) -> bool:
    async with database.read() as session:
        found = await months(session, "performance_metrics")
    return any(month.name == name and month.mark == COMPACTED for month in found)


@pytest.mark.parametrize(("reachable", "level"), [(True, "error"), (False, "warning")])
async def test_maintenance_continues_after_a_failure(
    server_url: str, reachable: bool, level: str
) -> None:
    """A database that is not there is nothing to be read line by line at night; one without our
    tables is."""
    database = Database(server_url if reachable else "postgresql://nobody@127.0.0.1:1/nothing")
    with capture_logs() as lines:
        attempts = await attempt_all(database)
    failed = {failure for failure, succeeded in attempts.items() if not succeeded}
    without_months = set() if not reachable else {"closed months could not be compacted"}
    assert failed == attempts.keys() - without_months
    assert {line["event"]: line["log_level"] for line in lines} == dict.fromkeys(failed, level)
    await database.close()
