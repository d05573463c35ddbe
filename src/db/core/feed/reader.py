"""Reader: one per process and feed, which reads for all who follow it.

It looks every 50 ms while somebody follows, or at once on a hint. Each look begins with the last
row it knows: when that is not there any more, or is another one, the database is not what it was,
and whatever way that came about, the very next look finds out.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog
from sqlalchemy import ColumnElement

from db.core.error_facts import summary
from db.core.feed.auditor import Auditor
from db.core.feed.feed import Feed
from db.core.feed.pages import FeedPage, FeedQueries
from db.core.feed.position import InvalidReason, Position
from db.core.feed.ring import Ring, fitting
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import Database, ReadSession

PAGE_ROWS = 2_000
POLL_SECONDS = 0.05
REST_SECONDS = 0.01  # between two looks, however many hints there are
LONGEST_PAUSE = 1.0  # between looks that fail
CATCHING_UP = 4  # statements at once, of all readers of a process together

log = structlog.get_logger()


class PositionInvalid(Exception):
    """Nobody can continue from that position; `reason` says why."""

    def __init__(self, reason: InvalidReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Reader:
    """The newest rows of a feed and where it ends. `generation` grows when the history turns out
    to be another one: `reason` says why, `position` is the end of the new one, and what followers
    have read so far is worth nothing.

    It looks over a connection of its own. `rows` and `judge` use those of the database given.
    """

    def __init__(
        self, feed: Feed, database: Database, catching_up: asyncio.Semaphore | None = None
    ) -> None:
        self.feed = feed
        self.database = database
        self.position = Position(feed.name, 0, 0, 0)
        self.generation = 0
        self.reason: InvalidReason | None = None
        self.resets: Counter[InvalidReason] = Counter()
        self.auditor = Auditor(self)
        self.pages = FeedQueries(feed)
        self._ring = Ring(0)
        self._catching_up = catching_up or asyncio.Semaphore(CATCHING_UP)
        self._checks = ReadCoalescer(database)
        self._followers = 0
        self._turning = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._looked = time.monotonic()
        self._failing = False
        self._hinted = asyncio.Event()
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def lag(self) -> float:
        """The seconds since the last look at the database that succeeded; without followers,
        nobody looks."""
        return time.monotonic() - self._looked

    @property
    def is_followed(self) -> bool:
        """Whether anybody follows, so that it reads."""
        return self._followers > 0

    @property
    def late_rows(self) -> int:
        """Rows that turned up behind the reader, which no follower was told of; 0 unless somebody
        circumvents the order of commits."""
        return self.auditor.late_rows

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Reads as long as anybody is inside; on entering, the position is known.

        Raises Unavailable when the database does not tell it.
        """
        async with self._turning:
            if self._reading is None:
                await self._start()
            self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1
            async with self._turning:
                if not self._followers:
                    await self._stop()

    async def changed(self, generation: int, seq: int, timeout: float) -> None:  # noqa: ASYNC109  many wait: a timer costs less
        """Returns when the reader is not (or no more) at that generation and that row, or after
        so many seconds."""
        if (generation, seq) != (self.generation, self.position.seq):
            return
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        alarm = loop.call_later(timeout, _wake, waiter)
        self._waiting.add(waiter)
        try:
            await waiter
        finally:
            alarm.cancel()
            self._waiting.discard(waiter)

    def since(self, seq: int, most_bytes: int | None = None) -> Sequence[Any] | None:
        """The records after that row up to `position`, in order; None when some of them are only
        in the table any more. The first of them, where all are larger than that together."""
        return self._ring.since(seq, most_bytes)

    async def rows(
        self,
        after: int,
        until: int,
        limit: int,
        *conditions: ColumnElement[bool],
        most_bytes: int | None = None,
    ) -> tuple[list[Any], bool]:
        """From the table: records after one row, up to and with another, that fulfil conditions,
        in order, and whether these are all; at most `limit`, and no larger than that together, but
        one at least. Waits while too many are read at once. Needs `following`.

        Raises Discontinued where retention has taken some of them, Unavailable as sessions do.
        """
        epoch = self.position.epoch
        async with self._catching_up, self.database.read() as session:
            page = await self.pages.between(session, after, until, limit, conditions)
        if page.epoch != epoch:
            raise PositionInvalid(InvalidReason.EPOCH)
        if after < page.min_seq - 1:
            raise PositionInvalid(InvalidReason.EXPIRED)
        fits = len(page.records)
        if most_bytes is not None:
            fits = min(fits, fitting(page.sizes, most_bytes))
        return page.records[:fits], fits == len(page.records) < limit

    async def check_position(self, position: Position) -> InvalidReason | None:
        """Why nobody can continue from a position, None if one can. Raises Unavailable."""
        if position == self.position and self._reading:
            return None
        known = self._ring.at(position.seq)
        if known and position.epoch == self.position.epoch:
            return None if self.feed.check(known) == position.check else InvalidReason.DIVERGED
        reason: InvalidReason | None = (await self._checks.of(self._check_positions, [position]))[
            position
        ]
        return reason

    def look(self) -> None:
        """Looks now: something may be new."""
        self._hinted.set()

    async def close(self) -> None:
        """Stops reading, whoever follows."""
        async with self._turning:
            await self._stop()

    # Reading

    async def _check_positions(
        self, session: ReadSession, positions: Collection[Position]
    ) -> dict[Position, InvalidReason | None]:
        page = await self.pages.at(session, {position.seq for position in positions})
        return {position: page.discontinues(self.feed, position) for position in positions}

    async def _start(self) -> None:
        began = time.monotonic()
        async with self.database.read() as session:
            self._begin(await self.pages.head(session), began)
        self._reading = asyncio.create_task(self._read())

    async def _stop(self) -> None:
        reading, self._reading = self._reading, None
        if reading:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self._ring = Ring(self.position.seq)

    def _begin(self, head: FeedPage, began: float) -> None:
        """From here on it reads."""
        self.position = head.position(self.feed)
        self._ring = Ring(self.position.seq)
        self.auditor.begin(self.position.seq)
        self._looked = began

    async def _read(self) -> None:
        own = Database(self.database.url, pool_size=1)
        auditing = asyncio.create_task(self.auditor.run())
        pause = POLL_SECONDS
        try:
            while True:
                try:
                    await self._keep_looking(own)
                except Exception as error:
                    pause = self._fail(error, pause)
                    await self._rest(pause)
        finally:
            auditing.cancel()
            await asyncio.gather(auditing, return_exceptions=True)
            await own.close()

    async def _keep_looking(self, own: Database) -> None:
        """Until the database does not answer. The session is kept: looking is all it does, and to
        borrow it each time would cost more than the look."""
        async with own.read() as session:
            while True:
                while await self._look(session):
                    pass
                if self._failing:
                    log.info("feed is read again", feed=self.feed.name)
                    self._failing = False
                await self._rest(POLL_SECONDS)

    def _fail(self, error: Exception, pause: float) -> float:
        """Says once that the feed cannot be read, which only makes the lag grow; returns the
        seconds until the next attempt."""
        if self._failing:
            return min(2 * pause, LONGEST_PAUSE)
        self._failing = True
        log.warning("feed cannot be read", feed=self.feed.name, error=summary(error))
        return POLL_SECONDS

    async def _look(self, session: ReadSession) -> bool:
        """Takes what is new; whether there is more of it."""
        self._hinted.clear()
        began = time.monotonic()
        page = await self.pages.since(session, self.position.seq, PAGE_ROWS)
        if reason := page.discontinues(self.feed, self.position):
            self._reset(reason, await self.pages.head(session), began)
            return False
        self._take(page)
        self._looked = began
        return len(page.records) == PAGE_ROWS

    def _take(self, page: FeedPage) -> None:
        known = bool(page.records) and page.records[0].seq == self.position.seq
        records, sizes = page.records[known:], page.sizes[known:]
        if records:
            self._ring.extend(records, sizes)
            last = records[-1]
            self.position = Position(self.feed.name, page.epoch, last.seq, self.feed.check(last))
            self.auditor.note(last.seq, len(records))
            self._wake_all()

    def _reset(self, reason: InvalidReason, head: FeedPage, began: float) -> None:
        former = self.position
        self._begin(head, began)
        self.generation += 1
        self.reason = reason
        self.resets[reason] += 1
        log.warning(
            "the history of a feed is another one",
            feed=self.feed.name,
            reason=reason,
            former=former.seq,
            now=self.position.seq,
        )
        self._wake_all()

    def _wake_all(self) -> None:
        for waiter in self._waiting:
            _wake(waiter)

    async def _rest(self, pause: float) -> None:
        await asyncio.sleep(REST_SECONDS)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause - REST_SECONDS):
                await self._hinted.wait()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
