"""Pending: rows that wait to be stored, and the callers that wait for them."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from db.core.errors import DomainError, OutcomeUnknown, Unavailable
from db.core.ingest.rows import IngestRow

BATCH_ROWS, BATCH_BYTES = 2_000, 4 * 1024 * 1024

log = structlog.get_logger()

Errors = dict[int, DomainError]  # of rows that were not stored, by position


@dataclass(eq=False, slots=True)
class PendingBatch:
    """Rows submitted together. `done` is called once, when all of them are settled."""

    size: int
    done: Callable[[Errors], None]
    errors: Errors = field(default_factory=dict)
    settled: int = 0

    def settle(self, position: int, error: DomainError | None) -> None:
        if error:
            self.errors[position] = error
        self.settled += 1
        if self.settled == self.size:
            self._finish()

    def _finish(self) -> None:
        try:
            self.done(self.errors)
        except Exception:  # must not keep the other batches of a flush waiting
            log.exception("a stored batch was not reported")


@dataclass(eq=False, slots=True)
class PendingRow:
    """One row of a writer's buffer. It is settled by `deadline` in any case.

    `in_doubt` is set if a failed attempt may have stored it; `last_error` is that of the last
    attempt.
    """

    row: IngestRow
    batch: PendingBatch
    position: int
    deadline: float
    in_doubt: bool = False
    last_error: DomainError | None = None

    def settle(self, error: DomainError | None = None) -> None:
        self.batch.settle(self.position, error)

    def expire(self) -> None:
        self.settle(OutcomeUnknown() if self.in_doubt else self.last_error or Unavailable())


class PendingRows(deque[PendingRow]):
    """The rows of several callers, in the order of their arrival."""

    @property
    def callers(self) -> int:
        return sum(entry.position == 0 for entry in self)

    def take(self, callers: int) -> list[PendingRow]:
        """The next batch: the rows of at most so many callers."""
        batch: list[PendingRow] = []
        size = 0
        while self and len(batch) < BATCH_ROWS and size < BATCH_BYTES:
            callers -= self[0].position == 0
            if callers < 0:
                break
            batch.append(self.popleft())
            size += len(batch[-1].row.text)
        return batch
