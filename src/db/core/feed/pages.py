"""Page: a stretch of a feed, read together with what tells whether it is still the same history."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    Text,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB

from db.core.feed.feed import LOW_BITS, Feed, FeedState
from db.core.feed.position import InvalidReason, Position
from db.core.session.database import ReadSession

ROW_BYTES = 100  # of a row besides its texts and documents


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Some rows of a feed in order, their sizes in bytes, and the history they belong to."""

    epoch: int
    min_seq: int
    records: list[Any]
    sizes: list[int]

    def position(self, feed: Feed) -> Position:
        """After the last row of a page that ends with the newest, or after those that went, where
        they were newer."""
        last = self.records[-1] if self.records else None
        if last is None or last.seq < self.min_seq - 1:
            return Position(feed.name, self.epoch, self.min_seq - 1, 0)
        return Position(feed.name, self.epoch, last.seq, feed.check(last))

    def discontinues(self, feed: Feed, position: Position) -> InvalidReason | None:
        """Why it does not continue from a position, whose own row would be in it, before any other
        that comes after.

        When that row is gone by retention, `min_seq` says whether others went that came after it.
        """
        if self.epoch != position.epoch:
            return InvalidReason.EPOCH
        if position.seq < self.min_seq - 1:
            return InvalidReason.EXPIRED
        first = next((record for record in self.records if record.seq >= position.seq), None)
        if first and first.seq == position.seq:
            return None if feed.check(first) == position.check else InvalidReason.DIVERGED
        if position.seq == self.min_seq - 1:
            return None
        return InvalidReason.DIVERGED if first else InvalidReason.AHEAD


class FeedQueries:
    """The statements that read the pages of one feed."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        seq = _seq(feed)
        self._from = self._page(seq >= bindparam("since", type_=BigInteger), order=seq)
        self._head = self._page(order=seq.desc())
        newest = select(seq).order_by(seq.desc()).limit(1).scalar_subquery()
        among = seq == any_(bindparam("seqs", type_=ARRAY(BigInteger)))
        self._at = self._page(or_(among, seq == newest), order=seq)

    async def since(self, session: ReadSession, seq: int, limit: int) -> FeedPage:
        """The row of that number, if there is one, and those after it."""
        return await self._read(session, self._from, {"since": seq, "limit": limit})

    async def at(self, session: ReadSession, seqs: Collection[int]) -> FeedPage:
        """The rows of those numbers, as far as there are any, and the newest."""
        given = {"seqs": list(seqs), "limit": len(seqs) + 1}
        return await self._read(session, self._at, given)

    async def head(self, session: ReadSession) -> FeedPage:
        """The newest row."""
        return await self._read(session, self._head, {"limit": 1})

    async def between(
        self,
        session: ReadSession,
        after: int,
        until: int,
        limit: int,
        conditions: Sequence[ColumnElement[bool]],
    ) -> FeedPage:
        """The rows after one number, up to and with another, that fulfil conditions."""
        seq = _seq(self.feed)
        span = seq > literal(after, BigInteger), seq <= literal(until, BigInteger)
        statement = self._page(*span, *conditions, order=seq)
        return await self._read(session, statement, {"limit": limit})

    async def count(self, session: ReadSession, after: int, until: int) -> int:
        """How many rows are between two numbers, the second included."""
        seq = _seq(self.feed)
        span = seq > literal(after, BigInteger), seq <= literal(until, BigInteger)
        counted: int = await session.scalar(select(func.count(seq)).where(*span))
        return counted

    def _page(self, *conditions: ColumnElement[bool], order: Any) -> Select[Any]:
        """One statement, so that rows and history are of one moment; a row without a row of the
        feed when there is none."""
        table = self.feed.table
        rows = (
            select(_size(table.columns()).label("size"), *table.columns())
            .where(*conditions)
            .order_by(order)
            .limit(bindparam("limit", type_=Integer))
            .subquery("page")
        )
        return (
            select(FeedState.epoch, FeedState.min_seq, *rows.c)
            .outerjoin_from(FeedState, rows, true())
            .where(FeedState.name == self.feed.name)
            .order_by(rows.c.seq)
        )

    async def _read(self, session: ReadSession, statement: Select[Any], given: Any) -> FeedPage:
        """Raises LookupError where the database knows no such feed."""
        rows = await session.rows(statement, given)
        epoch, min_seq, size = rows[0][:3]
        if size is None:
            return FeedPage(epoch.int & LOW_BITS, min_seq, [], [])
        records = self.feed.table.records([row[3:] for row in rows])
        return FeedPage(epoch.int & LOW_BITS, min_seq, records, [row[2] for row in rows])


def _seq(feed: Feed) -> Any:
    return feed.table.__table__.c.seq


def _size(columns: Sequence[Any]) -> ColumnElement[int]:
    """What a row takes in storage, which costs no unpacking to tell."""
    wide = [column for column in columns if isinstance(column.type, JSONB | Text)]
    sizes = [func.coalesce(func.pg_column_size(column), 0) for column in wide]
    return sum(sizes, literal(ROW_BYTES, Integer))
