"""Reader: reads a feed for all its subscribers; one per process and feed.

It polls while the feed has subscribers, and at once on a wakeup: every 50 ms, and while wakeups
arrive and nothing happens, less and less often, at least every 500 ms. Each poll begins with the
last row read before. If that row is missing or differs, the history of the feed has changed, and
the reader resets.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress

import structlog
from sqlalchemy import ColumnElement

from db.core.error_facts import summary
from db.core.errors import DomainError
from db.core.feed.auditor import Auditor
from db.core.feed.feed import Feed, FeedRow
from db.core.feed.numbering import Numbering
from db.core.feed.pages import FeedPage, FeedQueries
from db.core.feed.position import InvalidReason, Position
from db.core.feed.ring import Ring, fitting
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import Database, ReadSession

PAGE_ROWS = 2_000
POLL_SECONDS = 0.05
LONGEST_POLL_SECONDS = 0.5  # of a reader that is woken
REST_SECONDS = 0.01  # between two polls, however many wakeups arrive
MAX_RETRY_SECONDS = 1.0  # between polls that fail
LOOK_ROWS = 50_000  # read by one statement, most of them in vain
CATCHING_UP = 4  # statements at once, of all readers of a process together

log = structlog.get_logger()


def next_pause(pause: float, is_quiet: bool) -> float:
    """Seconds until the poll after the next, from those until the next."""
    return min(2 * pause, LONGEST_POLL_SECONDS) if is_quiet else POLL_SECONDS


class PositionInvalid(Exception):
    """A subscriber cannot resume from the position; `reason` says why."""

    def __init__(self, reason: InvalidReason) -> None:
        super().__init__(reason)
        self.reason = reason


class Reader:
    """The newest rows of a feed and its end, `position`.

    `generation` is incremented when the history of the feed has changed: `reason` says why,
    `position` is the end of the new history, and subscribers must start again. The reader polls on
    a connection of its own; `rows` and `check_position` use those of `database`. `is_woken` is true
    while wakeups by other processes arrive.
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
        self.numbering = Numbering(feed.pending, feed.table, database) if feed.pending else None
        if self.numbering:
            self.numbering.numbered = self.poll_now
        self._ring = Ring(0)
        self._catching_up = catching_up or asyncio.Semaphore(CATCHING_UP)
        self._checks = ReadCoalescer(database)
        self._subscribers = 0
        self._starting = asyncio.Lock()
        self._reading: asyncio.Task[None] | None = None
        self._polled_at = time.monotonic()
        self._failing = False
        self._wakeup = asyncio.Event()
        self.is_woken: Callable[[], bool] = lambda: False
        self._waiting: set[asyncio.Future[None]] = set()

    @property
    def lag(self) -> float:
        """Seconds since the last successful poll; meaningless without subscribers."""
        return time.monotonic() - self._polled_at

    @property
    def is_followed(self) -> bool:
        return self._subscribers > 0

    @property
    def late_rows(self) -> int:
        """Rows inserted behind the reader, which no subscriber received; 0 unless a writer
        bypasses the order of commits."""
        return self.auditor.late_rows

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Poll the feed within the context; `position` is known on entering. Raises Unavailable."""
        async with self._starting:
            if self._reading is None:
                await self._start()
            self._subscribers += 1
        try:
            yield
        finally:
            self._subscribers -= 1
            async with self._starting:
                if not self._subscribers:
                    await self._stop()

    async def changed(self, generation: int, seq: int, timeout: float) -> None:  # noqa: ASYNC109  many wait: a timer costs less
        """Wait until the reader is no longer at that generation and row, or for `timeout`
        seconds."""
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

    def since(self, seq: int, most_bytes: int | None = None) -> Sequence[FeedRow] | None:
        """The rows after `seq` up to `position`, or None if some are no longer buffered. With
        `most_bytes`, the first rows that fit, but at least one."""
        return self._ring.since(seq, most_bytes)

    async def rows(
        self,
        after: int,
        until: int,
        limit: int,
        *conditions: ColumnElement[bool],
        most_bytes: int | None = None,
    ) -> tuple[list[FeedRow], FeedRow | None]:
        """Read rows from the table: those after one seq, up to and including another, that meet the
        conditions; and the last row looked at, None if that is the end.

        At most `limit` rows and `most_bytes`, but at least one row, of the next LOOK_ROWS of the
        feed: conditions that few rows meet would read all of them. Waits for a free slot. Needs
        `following`. Raises PositionInvalid if some have expired, and Unavailable.
        """
        epoch, last = self.position.epoch, None
        async with self._catching_up, self.database.read() as session:
            if until - after > LOOK_ROWS:
                last = await self.pages.first(session, after + LOOK_ROWS, until)
            until = last.seq if last else until
            page = await self.pages.between(session, after, until, limit, conditions)
        if page.epoch != epoch:
            raise PositionInvalid(InvalidReason.EPOCH)
        if after < page.min_seq - 1:
            raise PositionInvalid(InvalidReason.EXPIRED)
        fits = len(page.records)
        if most_bytes is not None:
            fits = min(fits, fitting(page.sizes, most_bytes))
        records = page.records[:fits]
        return records, last if fits == len(page.records) < limit else records[-1]

    async def check_position(self, position: Position) -> InvalidReason | None:
        """The reason why a subscriber cannot resume from a position, if any. Raises Unavailable."""
        if position == self.position and self._reading:
            return None
        known = self._ring.at(position.seq)
        if known and position.epoch == self.position.epoch:
            return None if self.feed.check(known) == position.check else InvalidReason.DIVERGED
        reason: InvalidReason | None = (await self._checks.of(self._check_positions, [position]))[
            position
        ]
        return reason

    def poll_now(self) -> None:
        self._wakeup.set()

    async def close(self) -> None:
        async with self._starting:
            await self._stop()
        if self.numbering:
            await self.numbering.close()

    # Reading

    async def _check_positions(
        self, session: ReadSession, positions: Collection[Position]
    ) -> dict[Position, InvalidReason | None]:
        page = await self.pages.at(session, {position.seq for position in positions})
        return {position: page.discontinues(self.feed, position) for position in positions}

    async def _start(self) -> None:
        if self.numbering:
            with suppress(DomainError):  # they follow later
                await self.numbering.run()
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
        self.position = head.position(self.feed)
        self._ring = Ring(self.position.seq)
        self.auditor.begin(self.position.seq)
        self._polled_at = began

    async def _read(self) -> None:
        own = Database(self.database.url, pool_size=1, one_plan=True)
        auditing = asyncio.create_task(self.auditor.run())
        pause = POLL_SECONDS
        try:
            while True:
                try:
                    await self._poll_repeatedly(own)
                except Exception as error:
                    pause = self._fail(error, pause)
                    await self._rest(pause)
        finally:
            auditing.cancel()
            await asyncio.gather(auditing, return_exceptions=True)
            await own.close()

    async def _poll_repeatedly(self, own: Database) -> None:
        """Poll until the database fails, on one session: borrowing one each time would cost more
        than the poll."""
        pause = POLL_SECONDS
        async with own.read() as session:
            while True:
                before = self.position
                while await self._poll(session):
                    pass
                if self._failing:
                    log.info("feed can be read again", feed=self.feed.name)
                    self._failing = False
                is_quiet = self.position == before and self.is_woken()
                pause = next_pause(pause, is_quiet)
                await self._rest(pause)

    def _fail(self, error: Exception, pause: float) -> float:
        if self._failing:
            return min(2 * pause, MAX_RETRY_SECONDS)
        self._failing = True
        log.warning("feed cannot be read", feed=self.feed.name, error=summary(error))
        return POLL_SECONDS

    async def _poll(self, session: ReadSession) -> bool:
        self._wakeup.clear()
        began = time.monotonic()
        floor = self.numbering.floor if self.numbering else 0
        page = await self.pages.since(session, self.position.seq, PAGE_ROWS, floor)
        if page.has_pending and self.numbering:
            self.numbering.soon()
        if reason := page.discontinues(self.feed, self.position):
            self._reset(reason, await self.pages.head(session), began)
            return False
        self._append(page)
        self._polled_at = began
        return len(page.records) == PAGE_ROWS

    def _append(self, page: FeedPage) -> None:
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
            "the history of a feed was replaced",
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
                await self._wakeup.wait()


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
