"""Feeds: the rows that subscribers follow, in the order of commits."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from zlib import crc32

from sqlalchemy import func, update

from db.agents import AgentReport
from db.audit import Change, PendingChange
from db.core.feed import Feed, FeedState, Reader, retention
from db.core.feed.feed import checksum_of_id
from db.core.feed.listener import Listener
from db.core.feed.reader import CATCHING_UP
from db.core.session.database import Database, WriteSession
from db.events import Event
from db.metrics import Metric


def _by_content(change: Change) -> int:
    return crc32(f"{change.entity_id} {change.kind} {change.at.timestamp()}".encode())


# In the order in which a transaction takes their locks, which migrations 0004 and 0022 decide.
AGENTS = Feed("agents", AgentReport, checksum_of_id)
EVENTS = Feed("events", Event, checksum_of_id)
METRICS = Feed("metrics", Metric, checksum_of_id)
CHANGES = Feed("changes", Change, _by_content, PendingChange)
FEEDS = AGENTS, EVENTS, METRICS, CHANGES


async def expire(database: Database, keep: Mapping[str, timedelta]) -> dict[str, int]:
    """Delete rows past their feed's retention; a feed not in `keep` is not touched.

    Returns the number of months or rows deleted, by feed, without feeds that another process is
    working on. Raises as sessions do.
    """
    kept = [(feed, keep[feed.name]) for feed in FEEDS if feed.name in keep]
    gone = {feed.name: await retention.expire(database, feed, time) for feed, time in kept}
    return {name: count for name, count in gone.items() if count is not None}


async def reset_subscribers(session: WriteSession, feed: Feed) -> None:
    """Start a new epoch, so that subscribers are RESET: not all writes are in the feed's rows."""
    changed = update(FeedState).where(FeedState.name == feed.name)
    await session.execute(changed.values(epoch=func.gen_random_uuid()))
    session.feeds.add(feed.name)


class Feeds:
    """The readers of this process by the name of their feed, such as `feeds["events"]`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        catching_up = asyncio.Semaphore(CATCHING_UP)
        self.readers = {feed.name: Reader(feed, database, catching_up) for feed in FEEDS}
        self._listener = Listener(database, self._poll_now, partial(self._poll_now, self.readers))
        for name, reader in self.readers.items():
            reader.is_woken = lambda: self._listener.hears
            if reader.numbering:
                reader.numbering.numbered = partial(self._added, [name])

    def __getitem__(self, name: str) -> Reader:
        return self.readers[name]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Send and receive wakeups within the context, then close the readers. Outside it, readers
        only poll."""
        listeners = self.database.wakeups.listeners
        listeners.append(self._committed)
        self._committed([CHANGES.name])  # a process that ended may have left some
        listening = asyncio.create_task(self._listener.run())
        try:
            yield
        finally:
            listeners.remove(self._committed)
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            for reader in self.readers.values():
                await reader.close()

    def _committed(self, feeds: Collection[str]) -> None:
        """Rows of feeds, or pending ones, were stored by this process."""
        for name in feeds:
            if numbering := self.readers[name].numbering:
                numbering.soon()
            else:
                self._added([name])

    def _added(self, feeds: Collection[str]) -> None:
        self._poll_now(feeds)
        self._listener.notify(feeds)

    def _poll_now(self, feeds: Collection[str]) -> None:
        for name in feeds:
            if name in self.readers:
                self.readers[name].poll_now()
