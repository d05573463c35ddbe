"""Coalescing: reads that many subscribers need at about the same time, in one statement.

One statement of a kind is in flight at a time, and the next one is for all callers that arrive in
the meantime. So each caller gets the result of a statement that began after its call, and a
thousand calls cost two statements. Callers share a statement only if they see the same rows.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from db.core.background import background
from db.core.session.database import Database, ReadSession
from db.core.session.row_rules import UNRESTRICTED, Visibility
from db.core.turns import Turns

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
T = TypeVar("T")
Read = Callable[[ReadSession, Collection[K]], Awaitable[Mapping[K, V]]]
Kind = tuple[Hashable, Visibility]  # a Read is hashable


@dataclass(eq=False, slots=True)
class PendingRead(Generic[K, V]):
    """The keys and the task of the next statement."""

    find: Read[K, V]
    visibility: Visibility
    keys: set[K] = field(default_factory=set)
    task: asyncio.Task[Mapping[K, V]] | None = None


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
        self._next: dict[Kind, PendingRead[Any, Any]] = {}  # of the types of its `find`
        self._shared: dict[Hashable, asyncio.Task[Any]] = {}  # of the type of its `work`

    async def of(
        self, find: Read[K, V], keys: Collection[K], visibility: Visibility = UNRESTRICTED
    ) -> dict[K, V]:
        """The values that `find` returns for the keys; a key without one is left out. Raises as
        `find` does."""
        if not keys:
            return {}
        kind = find, visibility
        batch: PendingRead[K, V] = self._next.setdefault(kind, PendingRead(find, visibility))
        batch.keys.update(keys)
        if batch.task is None:
            batch.task = background(self._read(kind, batch))
            batch.task.add_done_callback(_retrieve_exception)
        found = await asyncio.shield(batch.task)  # others wait for it too
        return {key: found[key] for key in keys if key in found}

    async def shared(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        if key not in self._shared:
            self._shared[key] = task = background(_result(work))
            task.add_done_callback(lambda _: self._shared.pop(key))
            task.add_done_callback(_retrieve_exception)
        shared: asyncio.Task[T] = self._shared[key]
        return await asyncio.shield(shared)

    async def _read(self, kind: Kind, batch: PendingRead[K, V]) -> Mapping[K, V]:
        try:
            async with self._turns[kind]:
                del self._next[kind]
                reading = background(self._found(batch))
                await asyncio.wait({reading}, timeout=self.patience)
        finally:
            if kind not in self._next:
                self._turns.pop(kind, None)
        return await reading

    async def _found(self, batch: PendingRead[K, V]) -> Mapping[K, V]:
        async with self.database.scoped_to(batch.visibility).read() as session:
            return await batch.find(session, batch.keys)


async def _result(work: Callable[[], Awaitable[T]]) -> T:
    return await work()


def _retrieve_exception(task: asyncio.Task[object]) -> None:
    """Avoid a warning for an exception that no caller awaits any more."""
    if not task.cancelled():
        task.exception()
