"""Sending: messages that are due, delivered by work of maintenance."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import structlog

from db import Database
from db.core import jobs
from db.webhooks import outbox

if TYPE_CHECKING:
    from gateway.webhooks.delivery import Deliverer

log = structlog.get_logger()


@dataclass(frozen=True)
class Sending:
    """Delivers the messages of a database. What delivers them is made when there are some, because
    its libraries take memory."""

    database: Database
    make: "Callable[[], Deliverer]"

    @cached_property
    def deliverer(self) -> "Deliverer":
        return self.make()

    async def send_due(self) -> None:
        """Deliver messages that are due, and those of processes that died. Raises as sessions
        do."""
        if count := await jobs.give_back_stalled(self.database):
            log.info("messages of other processes given back", count=count)
        if await jobs.is_due(self.database, outbox.QUEUE):
            await self.deliverer.run_due()
