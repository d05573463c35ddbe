"""Agent gateways: two gateways of one database with different clocks, which agents report to."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text, update
from starlette.applications import Starlette

from db import Database
from db.agents import Agent
from db.core.session.clock import Clock
from gateway import maintenance
from support.gateways import ask, gateway, make_key, production
from support.payloads import outcome_of

SCOPES = ["agents:read", "agents:write", "events:read"]

REPORT = """mutation {{ reportAgentStatus(input: {{
  agentKey: "{key}", status: {status}{time}
}}) {{ errors {{ code field message }} }} }}"""

STATE = """{{ agent(key: "{key}") {{
  status lastActive receivedAt isStale
  history {{ nodes {{ status previousStatus reportedAt receivedAt }} }}
}} }}"""

ACTIVITY = "{ agentActivity(%s) { rows { agentKey status changes averageSeconds } } }"

EVENTS = "{ events { nodes { eventType timestamp } } }"

SLOW, FAST, DAY = timedelta(seconds=-400), timedelta(minutes=4), timedelta(days=1)


def printed(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


LAST_MONTHS = f'from: "{printed(datetime.now(UTC) - timedelta(days=90))}"'


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


class Gateway:
    """A gateway with a clock of its own."""

    def __init__(self, app: Starlette, database: Database, key: str) -> None:
        self.app, self.database, self.key = app, database, key

    async def ask(self, query: str) -> Any:
        answer = (await ask(self.app, self.key, query)).json()
        assert "errors" not in answer, answer
        return answer["data"]

    async def report(self, key: str, status: str, at: datetime | None = None) -> Any:
        time = "" if at is None else f', reportedAt: "{printed(at)}"'
        text = REPORT.format(key=key, status=status, time=time)
        return outcome_of((await self.ask(text))["reportAgentStatus"])

    async def state(self, key: str = "a") -> Any:
        return (await self.ask(STATE.format(key=key)))["agent"]

    async def activity(self, times: str = LAST_MONTHS) -> dict[tuple[str, str], Any]:
        rows = (await self.ask(ACTIVITY % times))["agentActivity"]["rows"]
        return {(row["agentKey"], row["status"]): row for row in rows}

    async def sweep(self) -> None:
        """Mark silent agents as offline, as the gateway does every few seconds."""
        await maintenance.mark_agents_offline(self.database)


@asynccontextmanager
async def two_gateways(
    database: Database, database_url: str
) -> AsyncIterator[tuple[Gateway, Gateway]]:
    """Two gateways of one database; the clock of the first one's machine jumps ten minutes ahead
    after it has started."""
    settings = production()
    key = (await make_key(database, settings, scopes=SCOPES)).text
    jump = [0.0]
    ahead = Database(database_url, clock=Clock(lambda: time.monotonic() + jump[0]))
    await ahead.now()
    jump[0] = 600.0
    yield (
        Gateway(gateway(settings, ahead), ahead, key),
        Gateway(gateway(settings, database), database, key),
    )
    await ahead.close()


async def silence(database: Database, seconds: float, key: str = "a") -> None:
    """Move all times of an agent into the past."""
    ago = timedelta(seconds=seconds)
    async with database.write() as session:
        moved = {
            name: getattr(Agent, name) - ago
            for name in ("last_active", "received_at", "reported_at")
        }
        await session.execute(update(Agent).where(Agent.agent_key == key).values(moved))
        await session.execute(
            text(
                "update agent_history set reported_at = reported_at - cast(:ago as interval),"
                " received_at = received_at - cast(:ago as interval) where agent_key = :key"
            ),
            {"ago": ago, "key": key},
        )
