"""Alerts while three gateways and their database are killed again and again.

Each rule becomes due while something is killed. Afterwards each has one alert and one message, and
each message was delivered: at least once, always with the same ID, and recorded once.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, text

from db import Database
from db.alerts import Alert
from db.audit import AuditEntry
from db.events import Event
from db.webhooks import WebhookDelivery
from db.webhooks.writes import create
from faults.world import World
from support.effort import CYCLES
from support.factories import make_alert_rule, make_event, make_user
from support.gateways import make_key, production
from support.graphql_client import Endpoint
from support.ports import free_port
from support.receivers import Receiver, receiver as receiving
from support.wait import until

RULES = 4  # for each kill
GATEWAYS = 3


class Gateways(World):
    """Three gateways in production over one database."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        super().__init__(folder)
        self.receiver = receiver
        self.ports = [free_port() for _ in range(GATEWAYS)]
        self.processes: dict[int, asyncio.subprocess.Process] = {}

    async def start_gateway(self) -> None:
        for port in self.ports:
            await self.start_one(port)

    async def start_one(self, port: int) -> None:
        settings = {
            "DATABASE_URL": self.url,
            "DREAMNET_ENV": "production",
            "DREAMNET_KEY_PEPPER": "p" * 32,
            "DREAMNET_PORT": str(port),
            "DREAMNET_WEBHOOK_LOOPBACK": self.receiver.place,
            "DREAMNET_REQUEST_LOG": "off",
            "DREAMNET_LOG_LEVEL": "error",
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve"),
            cwd=self.folder,
            env={**os.environ, **settings},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout
        await process.stdout.readline()  # the greeting comes when it listens
        self.processes[port] = process

    async def kill_one(self, port: int) -> None:
        self.processes[port].kill()
        await self.processes[port].communicate()
        await self.start_one(port)

    async def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
            await process.communicate()
        await super().stop()


@pytest.fixture
async def gateways(tmp_path: Path) -> AsyncIterator[Gateways]:
    async with receiving() as receiver:
        world = Gateways(tmp_path, receiver)
        try:
            await world.start()
            yield world
        finally:
            await world.stop()


async def scalar(database: Database, statement: Any) -> Any:
    async with database.unrestricted().read() as session:
        return await session.scalar(statement)


async def add_rules(database: Database, webhook: Any) -> None:
    for _ in range(RULES):
        await make_alert_rule(database, webhook_id=webhook.id)


async def let_time_pass(database: Database) -> None:
    """Jobs of processes that died are stalled, and the times of the next attempts have come."""
    async with database.write() as session:
        await session.execute(
            text("update procrastinate_workers set last_heartbeat = now() - interval '1 hour'")
        )
        await session.execute(
            text("update procrastinate_jobs set scheduled_at = now() where status = 'todo'")
        )


@pytest.mark.timeout(240 + 60 * CYCLES)
async def test_each_alert_is_opened_once_and_delivered(gateways: Gateways) -> None:
    chance, receiver = random.Random(7), gateways.receiver  # noqa: S311  no secret
    database = Database(gateways.url, pool_size=2)
    await make_event(database, timestamp=await database.now())
    async with database.write() as session:
        webhook = await create(session, name="Hook", url=receiver.url)
    count = 0
    opened = select(func.count()).select_from(Alert)
    undelivered = select(func.count()).where(WebhookDelivery.delivered_at.is_(None))

    async def has_opened() -> bool:
        return bool(await scalar(database, opened) >= count - RULES // 2)

    for cycle in range(CYCLES):
        await add_rules(database, webhook)
        count += RULES
        await until(has_opened)
        await gateways.kill_one(chance.choice(gateways.ports))
        if cycle % 2 == 0:
            await gateways.kill_database()

    async def is_done() -> bool:
        await let_time_pass(database)
        is_open = await scalar(database, opened) >= count
        return is_open and not await scalar(database, undelivered)

    await until(is_done)
    await check(database, receiver, count)
    await database.close()


async def check(database: Database, receiver: Receiver, count: int) -> None:
    async with database.unrestricted().read() as session:
        alerts = await session.records(Alert, Alert.select())
        deliveries = await session.records(WebhookDelivery, WebhookDelivery.select())
        events = await session.records(Event, Event.select().where(Event.source == "alert-manager"))
        entries = await session.scalar(
            select(func.count()).select_from(AuditEntry).where(AuditEntry.entity == "alerts")
        )
    assert len(alerts) == count
    assert set(Counter(alert.rule_id for alert in alerts).values()) == {1}
    assert Counter(each.alert_id for each in deliveries) == Counter(each.id for each in alerts)
    assert receiver.accepted.keys() == {f"msg_{each.id.hex}" for each in deliveries}
    assert all(each.delivered_at is not None for each in deliveries)
    assert [len(events), entries] == [count, count]


async def test_three_gateways_raise_one_alert(gateways: Gateways) -> None:
    database = Database(gateways.url, pool_size=2)
    user = await make_user(database, role="ADMIN")
    key = await make_key(database, production(), user_id=user.id)
    await make_event(database, timestamp=await database.now())
    rule = await make_alert_rule(database)
    answers = [await first_alerts(port, key.text) for port in gateways.ports]
    assert answers == [[{"rule": {"name": rule.name}, "closedAt": None}]] * GATEWAYS
    await database.close()


async def first_alerts(port: int, key: str) -> Any:
    """The alerts that a gateway shows, once there are any."""
    headers, address = {"authorization": f"Bearer {key}"}, f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(base_url=address, headers=headers) as client:
        endpoint, shown = Endpoint(client, None), list[Any]()

        async def look() -> bool:
            answer = await endpoint.data("{ alerts { nodes { rule { name } closedAt } } }")
            shown[:] = answer["alerts"]["nodes"]
            return bool(shown)

        await until(look)
        return shown
