"""Reads: what many subscribers need at about the same time, in one statement.

One statement of a kind is under way at a time, and the next one is for all who asked meanwhile. So
whoever asks is answered by a statement that began later, and a thousand who ask cost two.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from db.core.background import background
from db.core.database import Database, ReadSession

Keys = Collection[Any]
Found = Mapping[Any, Any]
Find = Callable[[ReadSession, Keys], Awaitable[Found]]


@dataclass(eq=False, slots=True)
class Batch:
    """Those who wait for the next statement."""

    keys: set[Any] = field(default_factory=set)
    task: asyncio.Task[Found] | None = None


class Reads:
    """They see every row: only for what looks the same to all who may follow a stream."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._turns: dict[Find, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[Find, Batch] = {}

    async def of(self, find: Find, keys: Keys) -> dict[Any, Any]:
        """What it finds for those keys; a key without anything is left out. Raises what `find`
        raises."""
        if not keys:
            return {}
        batch = self._next.setdefault(find, Batch())
        batch.keys.update(keys)
        if batch.task is None:
            batch.task = background(self._read(find, batch))
            batch.task.add_done_callback(_noted)
        found = await asyncio.shield(batch.task)  # others wait for it too
        return {key: found[key] for key in keys if key in found}

    async def _read(self, find: Find, batch: Batch) -> Found:
        async with self._turns[find]:
            del self._next[find]
            async with self.database.read() as session:
                return await find(session, batch.keys)


def _noted(task: asyncio.Task[Found]) -> None:
    """Its failure is known, even if nobody waits for it any more."""
    if not task.cancelled():
        task.exception()
