"""Log batches: log lines that are written together.

The first line after a pause is written at once, and so is a warning or an error, with all lines
before it. Lines that follow within 50 ms wait for each other: one write instead of many.
"""

import asyncio
import logging
from contextlib import suppress
from typing import TextIO

SECONDS = 0.05


class BatchHandler(logging.StreamHandler[TextIO]):
    """Writes lines to a stream. `logging` flushes it when the process ends, after a crash too."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.waiting: list[str] = []
        self.loop: asyncio.AbstractEventLoop | None = None  # that of the timer
        self.timer: asyncio.TimerHandle | None = None

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self.waiting.append(self.format(record) + self.terminator)
        except Exception:
            self.handleError(record)
        if record.levelno >= logging.WARNING or not self._may_wait():
            self.flush()

    def flush(self) -> None:
        """Write what waits. A log that cannot be written fails no request."""
        self.acquire()
        try:
            lines, self.waiting = self.waiting, []
            with suppress(OSError, ValueError):  # ValueError: it is closed
                if lines:
                    self.stream.write("".join(lines))
                super().flush()
        finally:
            self.release()

    def _may_wait(self) -> bool:
        """True if a timer will write the line. Otherwise start one for the next lines."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return False
        if self.timer and self.loop is loop:
            return True
        self.loop, self.timer = loop, loop.call_later(SECONDS, self._write)
        return False

    def _write(self) -> None:
        self.timer = (
            self.loop.call_later(SECONDS, self._write) if self.loop and self.waiting else None
        )
        self.flush()
