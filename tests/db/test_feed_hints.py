"""Notifications: rows are read at once with them, and soon without."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from db import Database, audit
from db.agents import reports
from db.core.feed.listener import CHANNEL
from db.core.feed.reader import next_pause
from db.core.ingest.writer import Ingestion
from db.feeds import Feeds
from db.users import User
from support.factories import make_agent, make_event
from support.wait import patience, until


class Ear:
    """Hears what is said, in this process or on the channel."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()

    def local(self, feeds: Any) -> None:
        self.heard.put_nowait(" ".join(feeds))

    def remote(self, *given: Any) -> None:
        """Leaves out what says that messages arrive, and that a process has begun to number."""
        if names := [name for name in given[-1].split() if name != "changes"]:
            self.heard.put_nowait(" ".join(names))

    async def next(self) -> str:
        async with patience():
            return await self.heard.get()


@asynccontextmanager
async def listening(url: str) -> AsyncIterator[Ear]:
    """An ear on the channel, from a connection of its own."""
    ear, connection = Ear(), await asyncpg.connect(url)
    await connection.add_listener(CHANNEL, ear.remote)
    yield ear
    await connection.close()


def report() -> Any:
    row = {"agent_key": "a", "status": "RUNNING", "current_task": None, "error": None}
    return reports.report(row, datetime.now(UTC), None)


async def test_every_write_notifies_its_feeds(database: Database) -> None:
    ear, ingestion = Ear(), Ingestion(database)
    database.wakeups.listeners.append(ear.local)
    await ingestion.submit(reports.REPORTED, [report()])
    assert await ear.next() == "agents events"
    async with database.write() as session:
        await audit.create(session, User, email="somebody@example.org")
        assert ear.heard.empty()
    assert await ear.next() == "changes"
    agent = await make_agent(database)
    async with database.write() as session:
        await reports.forget(session, agent.agent_key)
    assert sorted((await ear.next()).split()) == ["agents", "changes", "events"]
    async with database.write() as session:
        await make_agent(session)
    assert ear.heard.empty()


async def test_a_rollback_notifies_no_feed(database: Database) -> None:
    ear = Ear()
    database.wakeups.listeners.append(ear.local)
    with pytest.raises(RuntimeError):  # noqa: PT012  it is raised where it rolls back
        async with database.write() as session:
            await audit.create(session, User, email="somebody@example.org")
            raise RuntimeError
    assert ear.heard.empty()


async def test_other_readers_are_notified(database: Database, database_url: str) -> None:
    feeds = Feeds(database)
    async with listening(database_url) as ear, feeds.running():
        await _until_connected(feeds)
        database.wakeups.notify("events")
        assert await ear.next() == "events"
        for name in ("events", "agents", "events"):
            database.wakeups.notify(name)
        assert await ear.next() == "agents events"


async def test_notifications_of_others_are_received(database: Database, database_url: str) -> None:
    feeds = Feeds(database)
    async with feeds.running():
        await _until_connected(feeds)
        reader = feeds["events"]
        wakeup = reader._wakeup  # the reader itself looks too often to be watched
        connection = await asyncpg.connect(database_url)
        await connection.execute(f"notify {CHANNEL}, 'agents unknown events'")
        await connection.close()
        async with patience():
            await wakeup.wait()


async def test_a_listener_that_loses_its_connection_listens_again(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("db.core.feed.listener.RETRY_SECONDS", 0.01)
    feeds = Feeds(database)
    async with feeds.running():
        await _until_connected(feeds)
        await _terminate_listener(database_url)
        await _until_connected(feeds, False)
        await _until_connected(feeds)
        async with listening(database_url) as ear:
            database.wakeups.notify("events")
            assert await ear.next() == "events"


def test_a_woken_reader_polls_less_and_less_often_while_nothing_happens() -> None:
    pauses = [0.05]
    for _ in range(5):
        pauses.append(next_pause(pauses[-1], is_quiet=True))
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.5, 0.5]
    assert next_pause(0.5, is_quiet=False) == 0.05


async def test_a_reader_is_woken_while_a_process_hears_itself(
    database: Database, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    feeds = Feeds(database)
    reader = feeds["events"]
    assert not reader.is_woken()
    async with feeds.running():
        await until(reader.is_woken)
        with monkeypatch.context() as deaf:
            deaf.setattr("db.core.feed.listener.DEAF_SECONDS", 0)
            assert not reader.is_woken()
        assert reader.is_woken()
        reader._wakeup.clear()
        await _terminate_listener(database_url)
        await until(reader._wakeup.is_set)
        assert not reader.is_woken()


async def test_without_hints_everything_is_read_all_the_same(database: Database) -> None:
    feeds = Feeds(database)  # not running: nobody hears anything
    async with patience(), feeds["events"].following():
        for _ in range(3):
            seq = feeds["events"].position.seq
            made = await make_event(database)
            await feeds["events"].changed(0, seq, 20)
            assert feeds["events"].position.seq == made.seq


async def test_feeds_work_without_notifications(database_url: str) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/none")
    async with Feeds(nowhere).running():
        nowhere.wakeups.notify("events")
    assert nowhere.wakeups.listeners == []
    await nowhere.close()


async def _until_connected(feeds: Feeds, connected: bool = True) -> None:
    await until(lambda: feeds._listener._connected == connected)


async def _terminate_listener(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
        " and query ilike '%pg_notify%'"
    )
    await connection.close()
