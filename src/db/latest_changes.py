"""Latest changes: which nouns have changed since an earlier moment, asked of the database.

A look sees every change that was committed before it, by any process: those that are in the feed,
and those that are not numbered yet.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import BigInteger, bindparam, cast, func, literal, null, select, true, union_all

from db.audit import Change, PendingChange
from db.core.feed import FeedState
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import Database, ReadSession
from db.core.table import AnySelect
from db.feeds import CHANGES

MOST_ROWS = 10_000  # that one look reads; after more of them everything counts as changed


class Moment(NamedTuple):
    """A look: the number of the newest change, that of the newest change of each noun, and the
    nouns with changes that have no number yet. Moments of different histories say nothing about
    each other."""

    history: tuple[UUID, int]
    seq: int
    latest: Mapping[str, int]
    pending: frozenset[str]

    def has_changed(self, nouns: Collection[str], since: "Moment") -> bool:
        """True if one of the nouns may have changed between an earlier moment and this one."""
        if since.history != self.history or not self.pending.isdisjoint(nouns):
            return True
        return any(self.latest.get(noun, 0) > since.seq for noun in nouns)


class LatestChanges:
    """Looks of one process. Each continues the one before, so it reads only what is new."""

    def __init__(self, database: Database) -> None:
        self._reads = ReadCoalescer(database.borrowed_by("cache"))
        self._last: Moment | None = None
        self._gaps = 0

    async def now(self) -> Moment:
        """A look that began after the call. Raises Unavailable."""
        return (await self._reads.of(self._look, ["now"]))["now"]

    async def _look(self, session: ReadSession, _: Collection[str]) -> Mapping[str, Moment]:
        last = self._last
        since = last.seq if last else await session.scalar(NEWEST) or 0
        rows = await session.rows(LOOK, {"since": since})
        epoch, expired = rows[0].epoch, rows[0].min_seq - 1 > since
        numbered = {row.noun: row.seq for row in rows if row.seq is not None}
        is_gap = expired or sum(row.rows or 0 for row in rows) > MOST_ROWS
        if is_gap or last is None or epoch != last.history[0]:
            self._gaps += 1
            known: Mapping[str, int] = {}
        else:
            known = last.latest
        self._last = Moment(
            (epoch, self._gaps),
            max(since, *numbered.values()) if numbered else since,
            {**known, **numbered},
            frozenset(row.noun for row in rows if row.noun is not None and row.seq is None),
        )
        return {"now": self._last}


NEWEST = select(func.max(Change.seq))


def _look() -> AnySelect:
    """One statement, for one snapshot: the history, with a row for each noun that has changed."""
    since = bindparam("since", type_=BigInteger)
    newer = select(Change.noun, Change.seq).where(Change.seq > since)
    newer_rows = newer.order_by(Change.seq).limit(MOST_ROWS + 1).subquery("newer")
    numbered = select(
        newer_rows.c.noun, func.max(newer_rows.c.seq).label("seq"), func.count().label("rows")
    ).group_by(newer_rows.c.noun)
    pending = select(PendingChange.noun, cast(null(), BigInteger), literal(0)).distinct()
    found = union_all(numbered, pending).subquery("found")
    return (
        select(FeedState.epoch, FeedState.min_seq, found.c.noun, found.c.seq, found.c.rows)
        .outerjoin_from(FeedState, found, true())
        .where(FeedState.name == CHANGES.name)
    )


LOOK = _look()
