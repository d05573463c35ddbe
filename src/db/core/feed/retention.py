"""Retention: delete expired rows of a feed, and reset subscribers that have not read them.

`min_seq` is raised before rows are deleted, so a subscriber behind it is reset. Partitioned feeds
expire by whole months. A month is marked first: if the process dies between detaching and dropping
it, the mark distinguishes it from a month that an operator has detached to keep.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    DDL,
    BigInteger,
    ColumnElement,
    Text,
    cast,
    column,
    delete,
    func,
    select,
    table as named,
    update,
)
from sqlalchemy.dialects.postgresql import OID
from sqlalchemy.schema import ExecutableDDLElement

from db.core.feed.feed import Feed, FeedState
from db.core.schema import partition
from db.core.session.database import Database, ReadSession, WriteSession
from db.core.table import Table

LOCK = 0x72657461696E  # "retain", the key of this advisory lock
BATCH_ROWS = 5_000
EXPIRED = "expired"  # the comment that marks a month

_utility: Callable[..., ExecutableDDLElement] = DDL
_classes = named(
    "pg_class",
    *(column("oid", OID), column("relname", Text), column("relkind", Text)),
    column("relnamespace", OID),
)
_parents = _classes.alias("parents")
_inherits = named(
    "pg_inherits", column("inhrelid"), column("inhparent", OID), column("inhdetachpending")
)


class Month(NamedTuple):
    """A month of a partitioned table: attached, half detached (pending) or detached."""

    name: str
    attached: bool
    pending: bool
    expired: bool

    @property
    def end(self) -> datetime:
        year, month = int(self.name[-7:-3]), int(self.name[-2:])
        return partition.next_month(datetime(year, month, 1, tzinfo=UTC))


async def expire(database: Database, feed: Feed, keep: timedelta) -> int | None:
    """Delete what is older than `keep`: whole months of a partitioned feed, else rows. Return their
    number, or None if another process is working on it. Raises as sessions do."""
    own = Database(database.url, pool_size=2, lock_seconds=None)  # detaching waits long
    try:
        async with own.write() as turn:
            if not await turn.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
                return None
            limit = turn.now() - keep
            if feed.table.__table__ in partition.partitioned():
                return await _expire_months(own, feed, limit)
            return await _expire_rows(own, feed, limit)
    finally:
        await own.close()


async def _expire_months(database: Database, feed: Feed, limit: datetime) -> int:
    async with database.read() as session:
        months = [month for month in await _months(session, feed.table) if month.end <= limit]
    gone = [await _remove(database, feed, month) for month in months]
    return sum(gone)


async def _months(session: ReadSession, table: type[Table]) -> list[Month]:
    described = func.obj_description(_classes.c.oid, "pg_class")
    pattern = f"^{table.__tablename__}_y\\d{{4}}m\\d{{2}}$"
    statement = (
        select(
            _classes.c.relname,
            _inherits.c.inhrelid.is_not(None),
            func.coalesce(_inherits.c.inhdetachpending, False),
            func.coalesce(described == EXPIRED, False),
        )
        .outerjoin_from(_classes, _inherits, _inherits.c.inhrelid == _classes.c.oid)
        .where(_classes.c.relname.op("~")(pattern), _classes.c.relkind == "r")
        .where(_is_ours(table))
        .order_by(_classes.c.relname)
    )
    return [Month(*row) for row in await session.rows(statement)]


def _is_ours(table: type[Table]) -> ColumnElement[bool]:
    """The condition on partitions of this table, and detached ones in its schema: the search path
    may find tables of the same name that belong to another gateway."""
    own = func.to_regclass(table.__tablename__)
    schema = select(_parents.c.relnamespace).where(_parents.c.oid == own).scalar_subquery()
    apart = _inherits.c.inhparent.is_(None) & (_classes.c.relnamespace == schema)
    return (_inherits.c.inhparent == own) | apart


async def _remove(database: Database, feed: Feed, month: Month) -> bool:
    names = {"parent": feed.table.__tablename__, "child": month.name}
    if month.attached and not month.pending:
        async with database.write() as session:
            await _raise_min_seq(session, feed, await _newest(session, month.name))
            await session.execute(
                _utility(f"comment on table %(child)s is '{EXPIRED}'", context=names)
            )
        await _outside_transaction(
            database, "alter table %(parent)s detach partition %(child)s concurrently", names
        )
    elif month.pending:
        await _outside_transaction(
            database, "alter table %(parent)s detach partition %(child)s finalize", names
        )
    elif not month.expired:
        return False
    async with database.write() as session:
        await _seal(session, feed, await _newest(session, month.name))
        await session.execute(_utility("drop table %(child)s", context=names))
    return True


async def _outside_transaction(database: Database, statement: str, names: dict[str, str]) -> None:
    async with database.read() as session:
        await session.connection.execute(_utility(statement, context=names))


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


async def _expire_rows(database: Database, feed: Feed, limit: datetime) -> int:
    gone = 0
    while True:
        async with database.write() as session:
            deleted = await _expire_batch(session, feed, limit)
        gone += deleted
        if deleted < BATCH_ROWS:
            return gone


async def _expire_batch(session: WriteSession, feed: Feed, limit: datetime) -> int:
    columns = feed.table.__table__.c
    oldest = select(columns.seq, columns.at).order_by(columns.seq).limit(BATCH_ROWS).subquery()
    last = await session.scalar(select(func.max(oldest.c.seq)).where(oldest.c.at < limit))
    if last is None:
        return 0
    await _raise_min_seq(session, feed, last)
    return await session.execute(delete(feed.table).where(columns.seq <= cast(last, BigInteger)))
