"""Retention: delete expired rows of a feed, and reset subscribers that have not read them.

`min_seq` is raised before rows are deleted, so a subscriber behind it is reset. Partitioned feeds
expire by whole months.
"""

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import BigInteger, cast, column, delete, func, select, table as named, update

from db.core.feed.feed import Feed, FeedState
from db.core.schema import expiry, partition
from db.core.schema.months import Removal
from db.core.session.database import Database, ReadSession, WriteSession


async def expire(database: Database, feed: Feed, keep: timedelta) -> int | None:
    """Delete what is older than `keep`: whole months of a partitioned feed, else rows. Return their
    number, or None if another process is working on it. Raises as sessions do."""
    async with expiry.turn(database) as taken:
        if taken is None:
            return None
        own, limit = taken.database, taken.now - keep
        if feed.table.__table__ in partition.partitioned():
            return await expiry.expire_months(own, removal(feed), limit)
        return await expiry.in_batches(own, partial(_expire_batch, feed=feed, limit=limit))


def removal(feed: Feed) -> Removal:
    async def before_detaching(session: WriteSession, month: str) -> None:
        await _raise_min_seq(session, feed, await _newest(session, month))

    async def before_dropping(session: WriteSession, month: str) -> None:
        await _seal(session, feed, await _newest(session, month))

    return Removal(feed.table, before_detaching, before_dropping)


async def _raise_min_seq(session: WriteSession, feed: Feed, newest: int | None) -> None:
    raised = func.greatest(FeedState.min_seq, (newest or 0) + 1)
    mine = FeedState.name == feed.name
    await session.execute(update(FeedState).where(mine).values(min_seq=raised))


async def _seal(session: WriteSession, feed: Feed, newest: int | None) -> None:
    """If rows were inserted into the month while it was being detached, no reader has seen them:
    start a new epoch, which resets all subscribers."""
    unseen = FeedState.name == feed.name, FeedState.min_seq <= (newest or 0)
    await session.execute(update(FeedState).where(*unseen).values(epoch=func.gen_random_uuid()))
    await _raise_min_seq(session, feed, newest)


async def _newest(session: ReadSession, name: str) -> int | None:
    month = named(name, column("seq", BigInteger))
    newest: int | None = await session.scalar(select(func.max(month.c.seq)))
    return newest


async def _expire_batch(session: WriteSession, size: int, feed: Feed, limit: datetime) -> int:
    columns = feed.table.__table__.c
    oldest = select(columns.seq, columns.at).order_by(columns.seq).limit(size).subquery()
    last = await session.scalar(select(func.max(oldest.c.seq)).where(oldest.c.at < limit))
    if last is None:
        return 0
    await _raise_min_seq(session, feed, last)
    return await session.execute(delete(feed.table).where(columns.seq <= cast(last, BigInteger)))
