"""Subscriptions that cannot go on: their subscribers are told so, and may come back."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from db import Database
from graph.core.subscriptions.broker import SubscriptionBroker
from graph.core.types.errors import MASKED
from support.factories import make_agent_report
from support.subscriptions import Follow, Follower
from support.wait import until

STATUS = "subscription { agentStatus { kind agents { key isStale } } }"
HISTORY = "subscription { agentHistory { kind } }"


async def rename(database: Database, table: str, name: str) -> None:
    async with database.write() as session:
        await session.execute(text(f"alter table {table} rename to {name}"))


@asynccontextmanager
async def locked_agents(database: Database) -> AsyncIterator[None]:
    """Nobody can read them meanwhile."""
    async with database.write() as session:
        await session.execute(text("lock table agent_states in access exclusive mode"))
        yield


def received(follower: Follower) -> tuple[str, str]:
    [error] = follower.errors or []
    return error["message"], error["extensions"]["code"]


async def test_a_failed_watcher_ends_its_subscribers(
    database: Database, live: SubscriptionBroker, follow: Follow
) -> None:
    """Staleness has no row in the feed. Subscribers of the rows alone continue."""
    status, history = await follow(STATUS), await follow(HISTORY)
    await status.number(1)
    await history.number(1)
    await rename(database, "system_config", "elsewhere")
    await until(lambda: status.errors is not None)
    assert received(status) == (MASKED, "INTERNAL_SERVER_ERROR")
    await rename(database, "elsewhere", "system_config")

    again = await follow(STATUS)
    await again.number(1)
    assert list(live.channels["agents"].watchers) != []
    await make_agent_report(database)
    await history.until(lambda received: received[-1]["kind"] == "UPDATE")
    assert history.errors is None


async def test_a_group_ends_after_a_delivery_in_progress(
    database: Database, live: SubscriptionBroker, follow: Follow
) -> None:
    follower = await follow("subscription { agentStatus { kind } }")
    await follower.number(1)
    errors = [{"message": "enough"}]
    async with locked_agents(database):
        await make_agent_report(database)
        [group] = live.channels["agents"].groups.values()
        await until(lambda: not group.cohorts)
        group.end(errors)
        assert follower.errors is None
    await until(lambda: follower.errors == errors)
    assert len(follower.messages) == 2
