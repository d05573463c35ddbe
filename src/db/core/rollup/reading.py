"""Reading: sums of a time range, from valid periods and from the rows of all others.

One statement, so all of it is of one snapshot. The range falls into parts:

    since  .. lower   rows: the rest of the period in which the range begins
    lower  .. until   periods; rows of marked ones
    until  .. settled rows: periods that are not closed yet
    settled .. end    rows: open periods, and the rest of the one in which the range ends

Of the periods, whole longer ones are read in place of the shorter ones within.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Subquery,
    cast,
    func,
    literal,
    select,
    true,
    union_all,
)

from db.core.ids import EPOCH, floor
from db.core.query.time_range import Bucket, TimeRange, bucket_start
from db.core.rollup import periods
from db.core.rollup.declaring import AT, Rollup
from db.core.rollup.state import RollupMark, RollupState
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Expression


@dataclass(frozen=True)
class Pieces:
    """The sums of a time range, not combined yet: some per period, some per row."""

    rollup: Rollup
    rows: Subquery

    def key(self, name: str) -> Expression:
        return self.rows.c[name]

    def bucket(self, bucket: Bucket) -> Expression:
        return bucket_start(self.rows.c[AT], bucket)

    def total(self, name: str) -> Expression:
        """A measure over the rows of a group."""
        return self.rollup.combine(name, self.rows.c[name])

    def mean(self, sum: str, count: str) -> Expression:
        """As `avg` of the rows: PostgreSQL divides the same sum by the same count."""
        return func.sum(self.rows.c[sum]) / func.nullif(func.sum(self.rows.c[count]), 0)


def combined(
    rollup: Rollup,
    span: TimeRange,
    visibility: Visibility,
    bucket: Bucket | None = None,
    chosen: Callable[[CTE], AnySelect] | None = None,
) -> Pieces:
    """The sums of a time range for a viewer; with `bucket`, those of periods within one bucket.
    With `chosen`, only pieces that it selects are linked."""
    widths = [width for width in rollup.widths if bucket is None or _fits(width, bucket)]
    parts = list(_Parts(rollup, span, widths).all(visibility)) if widths else [_rows(rollup, span)]
    pieces = union_all(*parts)
    if rollup.linked is None:
        return Pieces(rollup, pieces.subquery("pieces"))
    found = pieces.cte("pieces")
    some = found if chosen is None else chosen(found).cte("chosen")
    return Pieces(rollup, rollup.linked(some, ()).subquery("linked"))


def _fits(width: Bucket, bucket: Bucket) -> bool:
    order = list(Bucket)
    return order.index(width) <= order.index(bucket)


def _rows(rollup: Rollup, span: TimeRange) -> AnySelect:
    return rollup.rows(rollup.at.label(AT)).where(*span.of(rollup.source.id))


class _Parts:
    def __init__(self, rollup: Rollup, span: TimeRange, widths: list[Bucket]) -> None:
        self.rollup = rollup
        self.id = rollup.source.id
        self.widths = widths
        self.since = span.since or EPOCH
        self.end = span.until
        self.lower = periods.first_from(self.since, widths[0])
        self.settled = self._settled(span.now)
        self.until = self._only_value(self._until())
        self.marked = self._marked()

    def all(self, visibility: Visibility) -> Iterator[AnySelect]:
        yield from self._periods()
        yield from self._rows_apart()
        if self.rollup.reads_hidden(visibility):
            yield self._hidden_rows(visibility)

    def _settled(self, now: datetime) -> datetime:
        """The end of the periods that are closed if maintenance does its work: a bound that
        PostgreSQL knows when it plans."""
        width = self.widths[0]
        known = periods.settled(now, width)
        end = known if self.end is None else min(known, periods.start(self.end, width))
        return max(self.lower, end)

    def _until(self) -> AnySelect:
        state = select(RollupState.closed).where(RollupState.name == self.rollup.name)
        closed: Expression = func.coalesce(state.scalar_subquery(), _time(EPOCH))
        closed = func.least(closed, _time(self.settled))
        return select(func.greatest(closed, _time(self.lower)).label("until"))

    def _marked(self) -> CTE:
        """The marked periods within, and the ids of their rows."""
        width, period = self.widths[0], RollupMark.period
        within = period >= self.lower, period < self.until
        marks = select(periods.start_sql(period, width).label("period"))
        found = marks.where(RollupMark.rollup == self.rollup.name, *within).distinct().subquery()
        end = periods.following_sql(found.c.period, width)
        ids = periods.floor_sql(found.c.period).label("first"), periods.floor_sql(end).label("end")
        return self._named(select(found.c.period, *ids), "marked")

    def _periods(self) -> Iterator[AnySelect]:
        shorter, *longer = self.widths
        table = self.rollup.table
        clean = table.period.not_in(select(self.marked.c.period))
        if not longer:
            yield self._of(shorter, table.period >= self.lower, table.period < self.until, clean)
            return
        [width] = longer
        lower = periods.first_from(self.since, width)
        upper = self._only_value(
            select(func.greatest(periods.start_sql(self.until, width), _time(lower)).label("upper"))
        )
        dirty = select(periods.start_sql(self.marked.c.period, width).label("period")).distinct()
        dirty_cte = self._named(dirty, "dirty")
        whole = table.period >= lower, table.period < upper
        yield self._of(width, *whole, table.period.not_in(select(dirty_cte.c.period)))
        before = table.period >= self.lower, table.period < func.least(_time(lower), self.until)
        yield self._of(shorter, *before, clean)
        yield self._of(shorter, table.period >= upper, table.period < self.until, clean)
        start, end = dirty_cte.c.period, periods.following_sql(dirty_cte.c.period, width)
        within = start >= lower, start < upper, table.period >= start, table.period < end
        yield _for_each(dirty_cte, self._of(shorter, *within, clean))

    def _of(self, width: Bucket, *where: ColumnElement[bool]) -> AnySelect:
        table = self.rollup.table
        statement = select(table.period.label(AT), *self.rollup.columns()).select_from(table)
        return statement.where(table.width == width, *where)

    def _rows_apart(self) -> Iterator[AnySelect]:
        rollup, id = self.rollup, self.id
        rows, of_edge = rollup.rows(rollup.at.label(AT)), rollup.few_rows(rollup.at.label(AT))
        edge = self.lower if self.end is None else min(self.lower, self.end)
        if self.since < edge:
            yield of_edge.where(id >= floor(self.since), id < floor(edge))
        ending = [] if self.end is None else [id < floor(self.end)]
        yield of_edge.where(id >= floor(self.settled), *ending)
        known = rows.where(id >= floor(self.lower), id < floor(self.settled))
        yield known.where(id >= periods.floor_sql(self.until))
        marked = id >= self.marked.c.first, id < self.marked.c.end
        yield _for_each(self.marked, known.where(*marked))

    def _hidden_rows(self, visibility: Visibility) -> AnySelect:
        """The rows of valid periods that the viewer sees although their sums are hidden, parent by
        parent: a viewer sees few of these."""
        rollup, id = self.rollup, self.id
        assert rollup.hidden is not None and rollup.parent is not None  # noqa: S101, PT018  it is read
        key, table = rollup.parent.id, rollup.parent.table
        hidden = select(table.id.label("id")).where(rollup.hidden(visibility))
        parents = self._named(hidden, "hidden")
        mark = self.marked.alias("mark")
        is_marked = select(mark.c.period).where(id >= mark.c.first, id < mark.c.end).exists()
        rows = rollup.rows(rollup.at.label(AT)).where(key == parents.c.id, ~is_marked)
        within = id >= floor(self.lower), id < periods.floor_sql(self.until)
        return _for_each(parents, rows.where(*within))

    def _only_value(self, statement: AnySelect) -> Expression:
        """The value of a statement of one row, which PostgreSQL computes once."""
        [column] = statement.selected_columns
        return select(*self._named(statement, column.name).c).scalar_subquery()

    def _named(self, statement: AnySelect, name: str) -> CTE:
        """A statement may read several rollups."""
        return statement.cte(f"{name}_{self.rollup.name}")


def _for_each(some: CTE, rows: AnySelect) -> AnySelect:
    """The rows of each of some periods or parents, which their conditions refer to. PostgreSQL does
    not look into a subquery with an offset: it would expect many, and read all rows at once."""
    found = rows.offset(0).lateral("found")
    return select(*found.c).select_from(some).join(found, true())


def _time(at: datetime) -> Expression:
    return cast(literal(at), DateTime(timezone=True))
