"""Coalescing: reads that many subscribers need at about the same time, in one statement.

One statement of a kind is in flight at a time, and the next one is for all callers that arrive in
the meantime. So each caller gets the result of a statement that began after its call, and a
thousand calls cost two statements. Callers share a statement only if they see the same rows.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

from db.core.background import background
from db.core.session.database import Database, ReadSession
from db.core.session.row_rules import UNRESTRICTED, Visibility
from db.core.turns import Turns

Keys = Collection[Any]
Values = Mapping[Any, Any]
Read = Callable[[ReadSession, Keys], Awaitable[Values]]
Kind = tuple[Read, Visibility]


@dataclass(eq=False, slots=True)
class PendingRead:
    """The keys and the task of the next statement."""

    keys: set[Any] = field(default_factory=set)
    task: asyncio.Task[Values] | None = None


class ReadCoalescer:
    """Statements shared by callers with the same read and visibility.

    The next statement waits for the one in flight, but at most `patience` seconds (None: without
    limit); then it uses another connection.
    """

    def __init__(self, database: Database, patience: float | None = None) -> None:
        self.database = database
        self.turns = Turns()  # for the work of each caller on the result
        self.patience = patience
        self._turns: dict[Kind, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._next: dict[Kind, PendingRead] = {}
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}

    async def of(
        self, find: Read, keys: Keys, visibility: Visibility = UNRESTRICTED
    ) -> dict[Any, Any]:
        """The values that `find` returns for the keys; a key without one is left out. Raises as
        `find` does."""
        if not keys:
            return {}
        kind = find, visibility
        batch = self._next.setdefault(kind, PendingRead())
        batch.keys.update(keys)
        if batch.task is None:
            batch.task = background(self._read(kind, batch))
            batch.task.add_done_callback(_retrieve_exception)
        found = await asyncio.shield(batch.task)  # others wait for it too
        return {key: found[key] for key in keys if key in found}

    async def shared(self, key: Hashable, work: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `work`, or of work in progress under the same key."""
        if key not in self._shared:
            self._shared[key] = task = background(_result(work))
            task.add_done_callback(lambda _: self._shared.pop(key))
            task.add_done_callback(_retrieve_exception)
        return await asyncio.shield(self._shared[key])

    async def _read(self, kind: Kind, batch: PendingRead) -> Values:
        try:
            async with self._turns[kind]:
                del self._next[kind]
                reading = background(self._found(kind, batch.keys))
                await asyncio.wait({reading}, timeout=self.patience)
        finally:
            if kind not in self._next:
                self._turns.pop(kind, None)
        return await reading

    async def _found(self, kind: Kind, keys: Keys) -> Values:
        find, visibility = kind
        async with self.database.scoped_to(visibility).read() as session:
            return await find(session, keys)


async def _result(work: Callable[[], Awaitable[Any]]) -> Any:
    return await work()


def _retrieve_exception(task: asyncio.Task[Any]) -> None:
    """Avoid a warning for an exception that no caller awaits any more."""
    if not task.cancelled():
        task.exception()
