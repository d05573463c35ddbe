"""Supervisor: restart a server that dies, a limited number of times."""

import shutil
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import structlog

from db.core.embedded.failure import EmbeddedFailed
from db.core.embedded.server import FULL_BYTES
from db.core.embedded.sharing import Embedded

LOOK_SECONDS = 0.5
MAX_STARTS = 5  # reset once it has run for STABLE_SECONDS
STABLE_SECONDS = 60.0
LONGEST_PAUSE = 8.0  # after a failed attempt; begins with LOOK_SECONDS

log = structlog.get_logger()


class Supervisor:
    """Watches the server of a folder in a thread of its own, within its context.

    If the server dies too often, or its data is missing, it sets `failure` and calls `give_up`.
    """

    def __init__(self, embedded: Embedded, give_up: Callable[[], None]) -> None:
        self.embedded = embedded
        self.give_up = give_up
        self.failure: EmbeddedFailed | None = None
        self._starts, self._started = 0, 0.0
        self._is_full = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="embedded", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stopping.set()
        self._thread.join()
        self.embedded.stop()

    def _run(self) -> None:
        pause = LOOK_SECONDS
        while not self._stopping.wait(pause):
            try:
                pause = LOOK_SECONDS if self._look() else min(2 * pause, LONGEST_PAUSE)
            except EmbeddedFailed as failed:
                self.failure = failed
                self.give_up()
                return

    def _look(self) -> bool:
        """Whether the server runs. Raises EmbeddedFailed where there is no use in trying again."""
        with self.embedded.usable():
            self.embedded.check_data()
            self._check_space()
        if self.embedded.server.pid is None:
            return self._restart()
        if time.monotonic() - self._started > STABLE_SECONDS:
            self._starts = 0
        return True

    def _restart(self) -> bool:
        if self._starts >= MAX_STARTS:
            raise EmbeddedFailed(
                f"The embedded database was restarted {MAX_STARTS} times and failed each time. "
                f"{self.embedded.server.log_tail()}"
            )
        log.warning("the embedded database died and is being restarted")
        self._starts += 1
        try:
            self.embedded.restart()
        except EmbeddedFailed as failed:
            log.error("the embedded database did not start", reason=str(failed))
            return False
        self._started = time.monotonic()
        log.info("the embedded database is running again")
        return True

    def _check_space(self) -> None:
        free = shutil.disk_usage(self.embedded.folder).free
        if (free < FULL_BYTES) != self._is_full:
            self._is_full = not self._is_full
            if self._is_full:
                folder = str(self.embedded.folder)
                log.error("the disk of the embedded database is full", folder=folder, free=free)
            else:
                log.info("the disk of the embedded database has space again", free=free)
