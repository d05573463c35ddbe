"""Verification: compare the sums of rollups with those of the rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import any_, except_all, func, literal, select, union_all
from sqlalchemy.types import Text

from db.core.ids import time_of
from db.core.query.time_range import Bucket
from db.core.rollup import periods, rolling
from db.core.rollup.archived import with_rows
from db.core.rollup.declaring import Rollup
from db.core.rollup.state import RollupMark, RollupState
from db.core.session.database import Database, ReadSession
from db.core.table import AnySelect

PERIODS_AT_ONCE = 24


@dataclass(frozen=True, slots=True)
class Verified:
    """The number of closed periods of a rollup, and the starts of those that are wrong, by width.
    Marked periods are not read by anybody, and not compared."""

    rollup: Rollup
    closed: int
    wrong: list[tuple[Bucket, datetime]]


async def verify(database: Database, rollup: Rollup) -> Verified:
    """Compare the sums of all periods with those of the rows. Raises as sessions do."""
    async with database.read() as session:
        starts = await _closed(session, rollup)
    wrong = []
    for width, some in _chunks(rollup, starts):
        async with database.read() as session:
            rows = await session.rows(_differing(rollup, width, some))
        wrong += [(width, period) for (period,) in rows]
    return Verified(rollup, len(starts), wrong)


async def _closed(session: ReadSession, rollup: Rollup) -> list[datetime]:
    """The closed periods from the first row or sum on, without those of the archive."""
    id, table = rollup.source.id, rollup.table
    state = RollupState.select().where(RollupState.name == rollup.name)
    found = await session.record(RollupState, state)
    if found is None or found.closed is None:
        return []
    first_id = await session.scalar(select(id).order_by(id).limit(1))
    of_shortest = table.width == rollup.shortest
    firsts = [await session.scalar(select(func.min(table.period)).where(of_shortest))]
    firsts += [] if first_id is None else [periods.start(time_of(first_id), rollup.shortest)]
    known = [first for first in firsts if first is not None]
    closed = periods.between(min(known), found.closed, rollup.shortest) if known else []
    return await with_rows(session, rollup, closed)


def _chunks(rollup: Rollup, starts: Sequence[datetime]) -> Iterator[tuple[Bucket, list[datetime]]]:
    for width in rollup.widths:
        within = sorted({periods.start(start, width) for start in starts})
        whole = [p for p in within if periods.following(p, width) <= rollup_end(rollup, starts)]
        for first in range(0, len(whole), PERIODS_AT_ONCE):
            yield width, whole[first : first + PERIODS_AT_ONCE]


def rollup_end(rollup: Rollup, starts: Sequence[datetime]) -> datetime:
    return periods.following(starts[-1], rollup.shortest)


def _differing(rollup: Rollup, width: Bucket, starts: Sequence[datetime]) -> AnySelect:
    """Select the starts of the periods whose sums are not those expected, marked ones aside."""
    table = rollup.table
    is_shortest = width is rollup.shortest
    expected = (
        rolling.sums(rollup, starts)
        if is_shortest
        else rolling.sums_of_periods(rollup, width, starts)
    )
    columns = literal(width.value, Text), table.period, *rollup.columns()
    among = table.width == width, table.period == any_(rolling.times(starts))
    stored = select(*columns).where(*among)
    missing, extra = except_all(expected, stored), except_all(stored, expected)
    differing = union_all(select(*missing.subquery().c), select(*extra.subquery().c)).subquery()
    period = differing.c.period
    start = periods.start_sql(RollupMark.period, width)
    is_marked = select(RollupMark.rollup).where(RollupMark.rollup == rollup.name, start == period)
    return select(period).where(~is_marked.exists()).distinct().order_by(period)
