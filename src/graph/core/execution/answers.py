"""Answers: a cache of the results of queries, exact at the moment in which each is given.

Root fields declare that their results may be kept, and which tables they are computed from. Before
a kept result is given, the database is asked whether one of these tables has changed since a moment
before the result was computed. So a result is as it would be if it were computed now, after writes
of any caller through any gateway. The question is one short statement, for all callers who wait.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import orjson

from db import Database
from db.core.background import background
from db.core.cache import Cache
from db.core.errors import Unavailable
from db.core.values import json
from db.latest_changes import LatestChanges, Moment
from graph.core.context import Context
from graph.core.execution.result import OperationResult
from graph.core.types.field import Kept

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

SIZE_FACTOR = 8  # of a result in memory, to its bytes
FIXED_BYTES = 1024

Execute = Callable[[], Awaitable[OperationResult]]


@dataclass(eq=False, slots=True)
class Answer:
    """A result that is kept, or that is being computed. It includes all that was committed before
    `since`."""

    task: asyncio.Task[OperationResult]
    since: Moment
    made_at: float

    @property
    def size(self) -> int:
        return FIXED_BYTES + SIZE_FACTOR * len(self.task.result().body)


class Key(NamedTuple):
    """Queries with the same result: the document, its variables, and what their callers may do and
    see."""

    text: str
    name: str | None
    variables: bytes
    rights: Hashable
    visibility: Hashable


class Answers:
    """The results that a process keeps, up to a number of bytes. Counts what is given."""

    def __init__(
        self, database: Database, most_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.kept: Cache[Key, Answer] = Cache(most_bytes, lambda answer: answer.size)
        self.hits = self.misses = 0
        self.clock = clock
        self._changes = LatestChanges(database)
        self._computed: dict[Key, Answer] = {}

    @property
    def oldest(self) -> float:
        """Age in seconds of the oldest result."""
        return max((self.clock() - answer.made_at for answer in self.kept.values()), default=0.0)

    async def get(self, key: Key, rule: Kept, execute: Execute) -> OperationResult:
        """The result of a query, kept or computed."""
        try:
            now = await self._changes.now()
        except Unavailable:
            return await execute()
        for answer in (self.kept.known(key), self._computed.get(key)):
            if answer and self._is_exact(answer, rule, now):
                result = await asyncio.shield(answer.task)
                if not result.errors:
                    self.hits += 1
                    return result
        self.misses += 1
        return await self._compute(key, now, execute)

    def _is_exact(self, answer: Answer, rule: Kept, now: Moment) -> bool:
        is_young = self.clock() - answer.made_at < rule.seconds
        return is_young and not now.has_changed(rule.nouns, answer.since)

    async def _compute(self, key: Key, since: Moment, execute: Execute) -> OperationResult:
        task = background(_result(execute))
        answer = self._computed[key] = Answer(task, since, self.clock())
        task.add_done_callback(lambda _: self._keep(key, answer))
        return await asyncio.shield(task)

    def _keep(self, key: Key, answer: Answer) -> None:
        if self._computed.get(key) is answer:
            del self._computed[key]
        is_result = not answer.task.cancelled() and answer.task.exception() is None
        if is_result and not answer.task.result().errors:
            self.kept[key] = answer


async def _result(execute: Execute) -> OperationResult:
    return await execute()


def key_of(operation: "Operation", variables: dict[str, object] | None, context: Context) -> Key:
    """Callers who see the rows of all users have the same results."""
    principal, given = context.principal, json.dumps(variables or {}, option=orjson.OPT_SORT_KEYS)
    visibility = principal.visibility
    if visibility.shared:
        visibility = replace(visibility, user_id=None)
    return Key(operation.text, operation.name, given, principal.kind, visibility)
