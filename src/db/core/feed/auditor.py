"""Auditor: count the rows again that a reader has read, to detect rows inserted behind it."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

import structlog

from db.core.error_facts import summary

if TYPE_CHECKING:  # the reader has an auditor
    from db.core.feed.reader import Reader

WINDOW_SECONDS = 60.0

log = structlog.get_logger()


class Auditor:
    """Closes a window of rows read every minute and counts its rows in the table a minute later.
    Rows that were not read are `late_rows`."""

    def __init__(self, reader: "Reader") -> None:
        self.reader = reader
        self.late_rows = 0
        self.window_seconds = WINDOW_SECONDS
        self._windows: deque[tuple[int, int, int]] = deque()  # after, until, rows read
        self._after = self._until = self._rows = 0

    def begin(self, seq: int) -> None:
        self._windows.clear()
        self._after = self._until = seq
        self._rows = 0

    def note(self, seq: int, rows: int) -> None:
        self._until = seq
        self._rows += rows

    async def run(self) -> None:
        """Run until cancelled. A window that cannot be counted is skipped."""
        while True:
            await asyncio.sleep(self.window_seconds)
            while self._windows:
                await self._count(*self._windows.popleft())
            self._windows.append((self._after, self._until, self._rows))
            self._after, self._rows = self._until, 0

    async def _count(self, after: int, until: int, rows: int) -> None:
        name, generation = self.reader.feed.name, self.reader.generation
        try:
            async with self.reader.database.read() as session:
                found = await self.reader.pages.count(session, after, until)
        except Exception as error:
            log.info("feed not audited", feed=name, error=summary(error))
            return
        if found > rows and generation == self.reader.generation:
            self.late_rows += found - rows
            log.error("rows were committed behind the reader", feed=name, after=after, until=until)
