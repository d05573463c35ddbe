"""Pages: rows of a feed, read together with the state of its history."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Integer,
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

from db.core.feed.feed import LOW_BITS, Feed, FeedRow, FeedState
from db.core.feed.numbering import FLOOR, has_pending
from db.core.feed.position import InvalidReason, Position
from db.core.session.database import ReadSession
from db.core.table import AnySelect, Column, Expression, Row
from db.core.timeouts import for_values

NONE_PENDING = literal(value=False)
ROW_BYTES = 100  # of a row without its text and JSON columns


@dataclass(frozen=True, slots=True)
class FeedPage:
    """Rows of a feed in order, their sizes in bytes, the history they belong to, and whether there
    are pending rows."""

    epoch: int
    min_seq: int
    records: list[FeedRow]
    sizes: list[int]
    has_pending: bool = False

    def position(self, feed: Feed) -> Position:
        """The position after the last row of a page that ends with the newest row, or after the
        expired rows if those were newer."""
        last = self.records[-1] if self.records else None
        if last is None or last.seq < self.min_seq - 1:
            return Position(feed.name, self.epoch, self.min_seq - 1, 0)
        return Position(feed.name, self.epoch, last.seq, feed.check(last))

    def discontinues(self, feed: Feed, position: Position) -> InvalidReason | None:
        """The reason why a page read from a position does not continue it, if any. The page begins
        with the row of the position.

        If that row has expired, `min_seq` shows whether later rows have expired too.
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
        pending = has_pending(feed.pending) if feed.pending else NONE_PENDING
        since = seq >= bindparam("since", type_=BigInteger)
        self._from = self._page(since, order=seq, pending=pending)
        numbered = seq.is_not(None)  # earlier versions stored metrics without a number
        self._head = self._page(numbered, order=seq.desc())
        newest = select(seq).where(numbered).order_by(seq.desc()).limit(1).scalar_subquery()
        among = seq == any_(bindparam("seqs", type_=ARRAY(BigInteger)))
        self._at = self._page(or_(among, seq == newest), order=seq)

    async def since(
        self, session: ReadSession, seq: int, limit: int, pending_from: int = 0
    ) -> FeedPage:
        given = {"since": seq, "limit": limit}
        if self.feed.pending:
            given[FLOOR.key] = pending_from
        return await self._read(session, self._from, given)

    async def at(self, session: ReadSession, seqs: Collection[int]) -> FeedPage:
        given = {"seqs": list(seqs), "limit": len(seqs) + 1}
        return await self._read(session, self._at, given)

    async def head(self, session: ReadSession) -> FeedPage:
        return await self._read(session, self._head, {"limit": 1})

    async def between(
        self,
        session: ReadSession,
        after: int,
        until: int,
        limit: int,
        conditions: Sequence[ColumnElement[bool]],
    ) -> FeedPage:
        seq = _seq(self.feed)
        span = seq > literal(after, BigInteger), seq <= literal(until, BigInteger)
        statement = self._page(*span, *conditions, order=seq)
        return await self._read(session, for_values(statement), {"limit": limit})

    async def first(self, session: ReadSession, start: int, until: int) -> FeedRow | None:
        """The first row from one seq up to another."""
        table, seq = self.feed.table, _seq(self.feed)
        span = seq >= literal(start, BigInteger), seq <= literal(until, BigInteger)
        rows = await session.records(table, table.select().where(*span).order_by(seq).limit(1))
        return cast("FeedRow", rows[0]) if rows else None

    async def count(self, session: ReadSession, after: int, until: int) -> int:
        seq = _seq(self.feed)
        span = seq > literal(after, BigInteger), seq <= literal(until, BigInteger)
        return int(await session.scalar(select(func.count(seq)).where(*span)))

    def _page(
        self,
        *conditions: ColumnElement[bool],
        order: Expression,
        pending: ColumnElement[bool] = NONE_PENDING,
    ) -> AnySelect:
        """Select rows and history in one statement, for one snapshot; one row of nulls if there
        are no rows."""
        table = self.feed.table
        rows = (
            select(_size(table.columns()).label("size"), *table.columns())
            .where(*conditions)
            .order_by(order)
            .limit(bindparam("limit", type_=Integer))
            .subquery("page")
        )
        return (
            select(FeedState.epoch, FeedState.min_seq, pending.label("has_pending"), *rows.c)
            .outerjoin_from(FeedState, rows, true())
            .where(FeedState.name == self.feed.name)
            .order_by(rows.c.seq)
        )

    async def _read(self, session: ReadSession, statement: AnySelect, given: Row) -> FeedPage:
        """Raises LookupError for a feed that the database does not have."""
        rows = await session.rows(statement, given)
        epoch, min_seq, pending, size = rows[0][:4]
        found = [] if size is None else rows
        records = cast("list[FeedRow]", self.feed.table.records([row[4:] for row in found]))
        return FeedPage(epoch.int & LOW_BITS, min_seq, records, [row[3] for row in found], pending)


def _seq(feed: Feed) -> Expression:
    return feed.table.__table__.c.seq


def _size(columns: Sequence[Column]) -> ColumnElement[int]:
    wide = [column for column in columns if isinstance(column.type, JSONB | Text)]
    sizes = [func.coalesce(func.pg_column_size(column), 0) for column in wide]
    return sum(sizes, literal(ROW_BYTES, Integer))
