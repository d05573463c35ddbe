"""Outboxes: messages that transactions queued, delivered by work of maintenance."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import structlog

from db import Database
from db.core import jobs

log = structlog.get_logger()


class Deliverer(Protocol):
    """Delivers the messages of one queue."""

    async def run_due(self) -> None:
        """Deliver what is due. Raises as sessions do."""
        ...


@dataclass(frozen=True)
class Outbox:
    """The messages of one queue. What delivers them is made when there are some, because its
    libraries take memory."""

    database: Database
    queue: str
    make: Callable[[], Deliverer]

    @cached_property
    def deliverer(self) -> Deliverer:
        return self.make()

    async def send_due(self) -> None:
        """Deliver messages that are due, and those of processes that died. Raises as sessions
        do."""
        if count := await jobs.give_back_stalled(self.database):
            log.info("messages of other processes given back", count=count)
        if await jobs.is_due(self.database, self.queue):
            await self.deliverer.run_due()
