"""Expiry: delete rows older than a time, whole months of partitioned tables, else in batches.

Rows are dated by their ids. One process of all works at a time.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import delete, func, select, text

from db.core.ids import floor
from db.core.schema import partition
from db.core.schema.months import COMPACTED, Month, Removal, compact, months
from db.core.session.database import Database, WriteSession
from db.core.table import Column, Table
from db.core.timeouts import Timeouts

LOCK = 0x72657461696E  # "retain", the key of this advisory lock
BATCH_ROWS = 5_000
STATEMENT_SECONDS = 6 * 60 * 60.0  # to detach a month, or to build its indexes
SETTLED = timedelta(days=7)  # after the end of a month: reports may be late
MOST_COMPACTED = 8  # months of all tables at once: one of each, and some of earlier ones

Batch = Callable[[WriteSession, int], Awaitable[int]]  # deletes so many rows, returns their number


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to delete, the time, and a database for statements that take long."""

    database: Database
    now: datetime


@asynccontextmanager
async def turn(database: Database) -> AsyncIterator[Turn | None]:
    """Take the turn of this process; None if another one has it. Raises as sessions do."""
    timeouts = Timeouts(other=STATEMENT_SECONDS)
    own = Database(database.url, pool_size=2, lock_seconds=None, timeouts=timeouts)
    try:
        async with own.write() as session:
            taken = await session.scalar(select(func.pg_try_advisory_xact_lock(LOCK)))
            # Ends the snapshot of the query, which an index built concurrently would wait for.
            await session.execute(text("set local lock_timeout = 0"))
            yield Turn(own, session.now()) if taken else None
    finally:
        await own.close()


async def expire(
    database: Database, table: type[Table], keep: timedelta, end: Column | None = None
) -> int | None:
    """Delete what is older than `keep`, and of a table that is not partitioned what ended before
    that, too, by the column `end`. Return the number of months or rows, or None if another
    process is working. Raises as sessions do."""
    async with turn(database) as taken:
        if taken is None:
            return None
        own, limit = taken.database, taken.now - keep
        if table.__table__ in partition.partitioned():
            return await expire_months(own, Removal(table), limit)
        return await in_batches(own, partial(_expire_batch, table=table, limit=limit, end=end))


async def expire_months(database: Database, removal: Removal, limit: datetime) -> int:
    """Remove the months that ended before a time; return their number."""
    async with database.read() as session:
        old = [
            month
            for month in await months(session, removal.table.__tablename__)
            if month.end <= limit
        ]
    return sum([await removal.remove(database, month) for month in old])


async def in_batches(database: Database, batch: Batch) -> int:
    """Delete batch by batch, each in its own transaction; return the number of rows."""
    gone = 0
    while True:
        async with database.write() as session:
            deleted = await batch(session, BATCH_ROWS)
        gone += deleted
        if deleted < BATCH_ROWS:
            return gone


async def compact_closed(database: Database) -> list[str] | None:
    """Rebuild the indexes of some closed months: random insertions left a quarter of them empty.
    Return the names of the months, or None if another process is working.
    Raises as sessions do."""
    async with turn(database) as taken:
        if taken is None:
            return None
        limit = taken.now - SETTLED
        closed: list[Month] = []
        for table in partition.partitioned():
            async with taken.database.read() as session:
                found = await months(session, table.name)
            closed += [month for month in found if _is_closed(month, limit)]
        for month in closed[:MOST_COMPACTED]:
            await compact(taken.database, month)
        return [month.name for month in closed[:MOST_COMPACTED]]


def _is_closed(month: Month, limit: datetime) -> bool:
    is_part = month.attached and not month.pending
    return is_part and month.end <= limit and month.mark != COMPACTED


async def _expire_batch(
    session: WriteSession, size: int, table: type[Table], limit: datetime, end: Column | None
) -> int:
    """The oldest rows first, except those that others have locked."""
    ended = () if end is None else (end < limit,)
    old = select(table.id).where(table.id < floor(limit), *ended)
    oldest = old.order_by(table.id).limit(size)
    locked = oldest.with_for_update(skip_locked=True)
    return await session.execute(delete(table).where(table.id.in_(locked)))
