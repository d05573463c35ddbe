"""Rollups: all of them, kept up by maintenance and verified by `dreamnet doctor`."""

from collections.abc import Mapping
from datetime import timedelta

from db import analytics, events
from db.agents import AgentReport, sums as of_agents
from db.ai_tests import AiTest, spending, sums as of_tests
from db.analytics import UserAction
from db.budgets import sums as of_users
from db.core.rollup import Rollup, rolling, verification
from db.core.rollup.verification import Verified
from db.core.schema.partition import month
from db.core.session.database import Database
from db.core.table import Table
from db.events import Event
from db.kpis import activity
from db.metrics import Metric, sums as of_metrics

ROLLUPS: tuple[Rollup, ...] = (
    of_tests.ROLLUP,
    spending.BY_USER,
    of_users.ROLLUP,
    of_agents.ROLLUP,
    analytics.ROLLUP,
    events.ROLLUP,
    of_metrics.ROLLUP,
    of_metrics.VALUES,
    activity.OF_ACTIONS,
    activity.OF_TESTS,
)

SETTINGS: Mapping[type[Table], str] = {
    AiTest: "tests",
    AgentReport: "agents",
    UserAction: "actions",
    Event: "events",
    Metric: "metrics",
}


async def roll(database: Database) -> dict[str, int]:
    """Close the periods that have ended, and compute those that changed. Returns the number of
    periods computed, by rollup. Raises as sessions do."""
    done = await rolling.roll(database.unrestricted(), ROLLUPS)
    return {name: count for name, count in done.items() if count}


async def expire(database: Database, keep: Mapping[str, timedelta]) -> None:
    """Delete the sums of the months that were removed. Raises as sessions do."""
    now = await database.now()
    for each in ROLLUPS:
        if (name := SETTINGS[each.source]) in keep:
            await rolling.forget_before(database.unrestricted(), each, month(now - keep[name]))


async def verify(database: Database) -> list[Verified]:
    """Compare the sums with the rows. Raises as sessions do."""
    return [await verification.verify(database.unrestricted(), each) for each in ROLLUPS]


async def rebuild(database: Database) -> None:
    """Forget all sums and compute them again. Raises as sessions do."""
    for each in ROLLUPS:
        await rolling.reset(database.unrestricted(), each)
    await roll(database)
