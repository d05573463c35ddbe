"""Pending: rows that wait to be stored, and the callers that wait for them."""

import asyncio
from dataclasses import dataclass, field

from db.core.errors import DomainError, OutcomeUnknown, Unavailable
from db.core.ingest.rows import IngestRow


@dataclass(eq=False, slots=True)
class PendingBatch:
    """Rows submitted together. `errors` holds the errors of rows that were not stored, by
    position."""

    size: int
    done: asyncio.Future[None]
    errors: dict[int, DomainError] = field(default_factory=dict)
    settled: int = 0

    def settle(self, position: int, error: DomainError | None) -> None:
        if error:
            self.errors[position] = error
        self.settled += 1
        if self.settled == self.size and not self.done.done():  # done: cancelled by its caller
            self.done.set_result(None)


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
