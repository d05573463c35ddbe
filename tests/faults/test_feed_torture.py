"""Feeds under writers who do all that makes numbers and commits go out of step.

They write elsewhere first, commit late, roll back, use savepoints, and write to several feeds at
once, while a transaction in another database stays open. Some write changes as gateways of the last
release do. Who follows a feed, and who comes back to it again and again, must have seen exactly
what is stored in the end. A control takes the triggers away and reads as one would without them: it
must miss rows, or the load proves nothing.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError

from db import Database, audit
from db.agents import reports
from db.audit import Change
from db.core.feed import Feed, Position, Reader
from db.core.idempotency import IdempotencyKey
from db.core.ingest.rows import IngestRow
from db.core.session.database import WriteSession
from db.events import LOGGED
from db.feeds import FEEDS, Feeds
from db.metrics import RECORDED
from db.users import User
from support import databases
from support.effort import IS_HIGH
from support.feeds import number_changes
from support.wait import patience

SECONDS = 30.0 if IS_HIGH else 3.0
ROWS = 150  # of each feed, or more
WRITERS = 12
MISSED = 100  # rows that the control must miss, or more

Collected = dict[str, list[int]]


class Torturer:
    """One writer, and what it does by chance."""

    def __init__(self, database: Database, seed: int) -> None:
        self.database = database
        self.chance = random.Random(seed)  # noqa: S311  no secret

    async def run(self, deadlocks: bool) -> None:
        while True:
            try:
                await self._once()
            except DBAPIError as error:
                if not deadlocks or "deadlock detected" not in str(error):
                    raise

    async def _once(self) -> None:
        async with self.database.engine.connect() as connection:
            transaction = await connection.begin()
            await self._transact(WriteSession(connection))
            await (transaction.rollback() if self._may(0.1) else transaction.commit())

    async def _transact(self, session: WriteSession) -> None:
        if self._may(0.3):
            await _write_elsewhere(session)
        for write in self._chosen():
            if self._may(0.2):
                savepoint = await session.connection.begin_nested()
                await write(session)
                await (savepoint.rollback() if self._may(0.5) else savepoint.commit())
            await write(session)
        if self._may(0.3):
            await asyncio.sleep(self.chance.uniform(0, 0.03))

    def _chosen(self) -> list[Callable[[WriteSession], Awaitable[None]]]:
        """One way of writing or several, in the order of the locks of feeds."""
        ways = [_report, _log, _measure, _change, _change_as_before]
        return ways if self._may(0.1) else [self.chance.choice(ways)]

    def _may(self, share: float) -> bool:
        return self.chance.random() < share


async def _write_elsewhere(session: WriteSession) -> None:
    """So that the transaction is older than its rows."""
    row = {"caller": "torture", "key": uuid4().hex, "request_hash": ""}
    await session.execute(insert(IdempotencyKey).values(row))


async def _report(session: WriteSession) -> None:
    row = {"status": "RUNNING", "current_task": None, "error": None}
    now = datetime.now(UTC)
    key = uuid4().hex[:1]
    await _store(session, reports.REPORTED, reports.report({**row, "agent_key": key}, now, None))


async def _log(session: WriteSession) -> None:
    row = {"event_type": "torture", "source": "test", "severity": "INFO", "payload": {}}
    now = datetime.now(UTC)
    others = {"timestamp": now, "metadata": {}, "user_id": None}
    await _store(session, LOGGED, LOGGED.validator.ingest_row({**row, **others}, now, None))


async def _measure(session: WriteSession) -> None:
    now = datetime.now(UTC)
    row = {
        "metric_name": "torture",
        "value": Decimal(1),
        "unit": None,
        "tags": {},
        "timestamp": now,
    }
    await _store(session, RECORDED, RECORDED.validator.ingest_row(row, now, None))


async def _store(session: WriteSession, intake: Any, item: IngestRow) -> None:
    items = f"[{item.text.decode()}]"
    await session.connection.execute(intake.statement, {"items": items})


async def _change(session: WriteSession) -> None:
    user = await audit.create(session, User, email=f"{uuid4().hex}@example.org")
    await audit.change(session, User, user, role="OPERATOR")


async def _change_as_before(session: WriteSession) -> None:
    row = {"noun": "users", "entity_id": uuid4(), "kind": "CREATED"}
    await session.execute(insert(Change).values(row))


@asynccontextmanager
async def torture(url: str, *, deadlocks: bool = False) -> AsyncIterator[None]:
    """Writers at work as long as the context lasts; those in the middle of something are cut off,
    as if they had died. Only where the feeds have no locks may they meet in deadlocks."""
    database = Database(url, pool_size=WRITERS)
    torturers = [Torturer(database, seed) for seed in range(WRITERS)]
    writers = [asyncio.create_task(torturer.run(deadlocks)) for torturer in torturers]
    try:
        yield
        assert [writer.exception() for writer in writers if writer.done()] == []
    finally:
        await _cancel(writers)
        await database.close()


@asynccontextmanager
async def foreign_transaction(server_url: str) -> AsyncIterator[None]:
    """A transaction that has written in another database of the server, and stays open."""
    url = await databases.create_database(server_url)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await connection.execute("create table held (n int)")
        yield
    await connection.close()
    await databases.drop_database(server_url, url)


async def stored(database: Database) -> Collected:
    """The numbers of all rows, by feed."""
    await number_changes(database)
    async with database.read() as session:
        return {feed.name: [seq for (seq,) in await session.rows(_numbers(feed))] for feed in FEEDS}


def _numbers(feed: Feed) -> Any:
    seq = feed.table.__table__.c.seq
    return select(seq).order_by(seq)


async def follow(reader: Reader, seen: list[int]) -> None:
    """A follower that stays."""
    async with reader.following():
        while True:
            await reader.changed(0, seen[-1] if seen else 0, 60)
            await _take(reader, seen)


async def come_and_go(reader: Reader, seen: list[int]) -> None:
    """A follower that leaves after each look and continues with its cursor a moment later."""
    cursor = None
    while True:
        async with reader.following():
            if cursor:
                position = Position.parse(cursor, reader.feed.name)
                assert await reader.check_position(position) is None
                assert position.seq == (seen[-1] if seen else 0)
            cursor = str(await _take(reader, seen))
        await asyncio.sleep(0.03)


async def _take(reader: Reader, seen: list[int]) -> Position:
    """What is new, from the ring or else from the table; returns the position after it."""
    head, last = reader.position, seen[-1] if seen else 0
    rows = reader.since(last)
    if rows is not None:
        seen += [row.seq for row in rows]
        return head
    while True:
        page, until = await reader.rows(last, head.seq, 100)
        seen += [row.seq for row in page]
        if until is None:
            return head
        last = until.seq


@asynccontextmanager
async def collecting(
    follower: Callable[[Reader, list[int]], Awaitable[None]], database: Database
) -> AsyncIterator[Collected]:
    """What followers of all feeds have seen; on leaving, that is everything, or time is up."""
    feeds = Feeds(database)
    seen: Collected = {feed.name: [] for feed in FEEDS}
    async with feeds.running():
        tasks = [asyncio.ensure_future(follower(feeds[name], seen[name])) for name in seen]
        try:
            yield seen
            last = {name: seqs[-1] for name, seqs in (await stored(database)).items()}
            await _until_at(tasks, seen, last)
        finally:
            await _cancel(tasks)
        assert [feeds[name].generation for name in seen] == [0] * len(seen)


async def _grown(database: Database) -> None:
    """Lets the load last its time, and longer where the machine is busy."""
    async with asyncio.timeout(SECONDS + 60):
        await asyncio.sleep(SECONDS)
        while min(map(len, (await stored(database)).values())) < ROWS:
            pass


async def _cancel(tasks: Sequence[asyncio.Future[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _until_at(
    tasks: Sequence[asyncio.Future[None]], seen: Collected, last: Mapping[str, int]
) -> None:
    async with patience():
        while any(seqs[-1:] != [last[name]] for name, seqs in seen.items()):
            assert [task.exception() for task in tasks if task.done()] == []
            await asyncio.sleep(0.01)


async def test_nothing_is_missed_nothing_comes_twice_and_all_in_order(
    database: Database, database_url: str, server_url: str
) -> None:
    async with foreign_transaction(server_url), AsyncExitStack() as following:
        seen = [
            await following.enter_async_context(collecting(follower, database))
            for follower in (follow, come_and_go)
        ]
        async with torture(database_url):
            await _grown(database)
        await following.aclose()
    everything = await stored(database)
    for collected in seen:
        assert collected == everything


async def test_without_the_triggers_the_same_load_makes_a_naive_reader_miss_rows(
    database: Database, database_url: str
) -> None:
    async with database.write() as session:
        await session.execute(text("drop trigger feed_take_turns on agent_history"))
        await session.execute(text("drop trigger feed_take_turns on system_events"))
        await session.execute(text("drop trigger feed_take_turns on performance_metrics"))
        await session.execute(text("drop trigger feed_number on changes"))
    seen: Collected = {feed.name: [] for feed in FEEDS}
    reading = [asyncio.create_task(_read_naively(database, feed, seen)) for feed in FEEDS]
    try:
        async with torture(database_url, deadlocks=True):
            await _grown(database)
        last = {name: seqs[-1] for name, seqs in (await stored(database)).items()}
        await _until_at(reading, seen, last)
    finally:
        await _cancel(reading)
    missed = {name: len({*seqs} - {*seen[name]}) for name, seqs in (await stored(database)).items()}
    assert sum(missed.values()) > MISSED, missed


async def _read_naively(database: Database, feed: Feed, seen: Collected) -> None:
    """Reads what is after the last row, as if numbers came in the order of commits."""
    seqs = seen[feed.name]
    column = feed.table.__table__.c.seq
    while True:
        async with database.read() as session:
            rows = await session.rows(_numbers(feed).where(column > (seqs[-1] if seqs else 0)))
        seqs += [seq for (seq,) in rows]
        await asyncio.sleep(0.005)
