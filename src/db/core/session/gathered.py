"""Gathered reads: rows by key that are asked for in one turn of the event loop, in one statement.

Operations share a statement only if it is the same one for the same viewer. It is sent after all of
them have asked, so each sees its own writes. An operation that asks alone reads at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from contextlib import suppress
from typing import cast

Row = Sequence[object]  # of the driver
MAX_KEYS = 50  # of one statement: each row may be as large as its columns allow

Read = Callable[[Sequence[Hashable]], Awaitable[Sequence[Row]]]


class BatchFailed(Exception):
    """The read of several keys failed; each is read alone."""


class GatheredReads:
    """The reads that wait in this turn."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, dict[Hashable, asyncio.Future[Row | None]]] = {}

    async def row(self, kind: Hashable, key: Hashable, read: Read) -> Row | None:
        """The row with a key, or None. `read` returns the rows of keys, each with the position of
        its key in the last column; reads of one `kind` are the same. Raises as `read` does."""
        waiting = self._waiting.get(kind)
        if waiting is not None and len(waiting) < MAX_KEYS:
            row = waiting.get(key) or waiting.setdefault(key, _future())
            with suppress(BatchFailed):
                return await asyncio.shield(row)
            return await _alone(key, read)
        return await self._lead(kind, key, read)

    async def _lead(self, kind: Hashable, key: Hashable, read: Read) -> Row | None:
        self._waiting[kind] = waiting = {key: _future()}
        try:
            try:
                await asyncio.sleep(0)
            finally:
                if self._waiting.get(kind) is waiting:
                    del self._waiting[kind]
            keys = list(waiting)
            for row in await read(keys):
                waiting[keys[cast("int", row[-1]) - 1]].set_result(row)
        except BaseException:
            _fail(waiting)
            raise
        found = waiting[key]
        for other in waiting.values():
            if not other.done():
                other.set_result(None)
        return found.result()


def _future() -> asyncio.Future[Row | None]:
    return asyncio.get_running_loop().create_future()


def _fail(waiting: Mapping[Hashable, asyncio.Future[Row | None]]) -> None:
    for row in waiting.values():
        if not row.done():
            row.set_exception(BatchFailed())
            row.exception()  # no warning if no operation awaits it any more


async def _alone(key: Hashable, read: Read) -> Row | None:
    return next(iter(await read([key])), None)
