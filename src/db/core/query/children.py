"""Children: pages and counts of the rows of each of several parents, in one statement.

Rows of a parent are in an index by id. With a filter, a page in that order looks at LOOKED_BELOW
rows of all parents together, and ends at the last one that was looked at. Decision 53.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy import (
    FromClause,
    Integer,
    TableValuedAlias,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)

from db.core.query import looking
from db.core.query.batch import (
    Columns,
    Key,
    arrays_of,
    key_parameters,
    matches,
    parts_of,
    requested_keys,
    within,
)
from db.core.query.counting import Counted, counted_rows
from db.core.query.filter import And
from db.core.query.keyset import Page, PageArgs
from db.core.query.listing import ListArgs, ListSpec, by_parent, labelled, limited
from db.core.query.looking import Parts
from db.core.query.order import Order, beyond
from db.core.query.projection import NOT_NESTED, Nested, Projection
from db.core.session.database import ReadSession
from db.core.table import AnySelect, Expression, Table
from db.core.timeouts import Kind, of_kind

R = TypeVar("R")  # a record, or a row of the driver


@dataclass(slots=True)
class Found(Generic[R]):
    """The rows of one parent, and the last row that was looked at, if others follow it."""

    rows: list[R] = field(default_factory=list)
    last: UUID | None = None

    def add(self, row: R, id: UUID, is_last: bool | None) -> None:
        """`is_last`: null for rows before the end of the look, and whether that one matches."""
        if is_last is not None:
            self.last = id
        if is_last is not False:
            self.rows.append(row)

    def page(self, window: PageArgs, order: Order) -> Page[R]:
        return window.page(self.rows, order, None if self.last is None else (self.last,))


@dataclass(frozen=True, eq=False)
class Children:
    """The rows of a listing whose parents have their keys in `columns`."""

    listing: ListSpec
    columns: Columns

    def looks(self, slice: ListArgs) -> bool:
        """True if a page ends at the end of a look: rows in another order than that of ids are
        sorted, for which all of them are read."""
        return self._parts(slice) is not None

    def arrays(self, keys: Sequence[Key], slice: ListArgs) -> list[object]:
        """The parameters of `select_pages`: the keys, and the rows to look at for each."""
        arrays: list[object] = [*arrays_of(keys, len(self.columns))]
        parts = self._parts(slice)
        return arrays if parts is None else [*arrays, self._rows(parts, slice, len(keys))]

    async def pages(
        self, session: ReadSession, keys: Sequence[Key], slice: ListArgs
    ) -> dict[Key, Page[Table]]:
        table, order = self.listing.table, self.listing.order(slice.order)
        parts = self._parts(slice)
        rows = literal(0 if parts is None else self._rows(parts, slice, len(keys)), Integer)
        selected = table.select().add_columns(*labelled(order))
        asked = requested_keys(self.columns, keys)
        statement = self._pages(asked, selected, slice, 1, rows)
        found: dict[Key, Found[Table]] = {key: Found() for key in keys}
        width = len(table.columns())
        for row in await session.rows(of_kind(slice.kind, statement)):
            record = table.Record._make(row[:width])
            is_last = None if parts is None else row[-2]
            found[keys[row[-1] - 1]].add(record, record.id, is_last)
        return {key: some.page(slice.window, order) for key, some in found.items()}

    def select_pages(
        self, projection: Projection, slice: ListArgs, nested: Nested = NOT_NESTED, more: int = 1
    ) -> AnySelect:
        """`ListSpec.select_page` for each key of `key_parameters`. The last column is the key's
        position. Before it, with a look, is `is_last` of `Found`."""
        order = self.listing.order(slice.order)
        selected = select(*projection.selected(nested), *labelled(order))
        rows = select(bindparam(f"keys_{len(self.columns)}", type_=Integer)).scalar_subquery()
        asked = key_parameters(self.columns)
        statement = self._pages(asked, selected.select_from(self.listing.table), slice, more, rows)
        return of_kind(slice.kind, statement)

    def _pages(
        self,
        asked: TableValuedAlias,
        selected: AnySelect,
        slice: ListArgs,
        more: int,
        rows: Expression,
    ) -> AnySelect:
        order, keys = self.listing.order(slice.order), parts_of(asked, len(self.columns))
        parts = self._parts(slice)
        if parts is None:
            whole = self.listing.of_parent(selected, self.columns, keys, slice, order)
            page = limited(whole, slice, more).lateral("page")
        else:
            looked = self._looked(keys, parts, slice, rows).correlate(asked).lateral("looked")
            page = self._shown(selected, looked, rows, slice, more).lateral("page")
        terms = [by.term(page.c[f"order_{n}"], slice.window.backward) for n, by in enumerate(order)]
        found = select(*page.c, asked.c.position).join_from(asked, page, true())
        return found.order_by(asked.c.position, *terms)

    def _looked(
        self, keys: Sequence[Expression], parts: Parts, slice: ListArgs, rows: Expression
    ) -> AnySelect:
        """The ids of a number of rows of a parent, their places, and whether they match."""
        order, window = self.listing.order(slice.order), slice.window
        terms = [
            *by_parent(self.columns, order, window.backward),
            *(by.sql(window.backward) for by in order),
        ]
        served = self.listing.conditions(ListArgs(And(parts.served), slice.search))
        cursors = [beyond(order, cursor) for cursor in window.cursors(order)]
        matching = self.listing.filterable.compile(parts.is_walked)
        return (
            select(
                self.listing.id.label("looked_id"),
                *(column.label(f"looked_k{n}") for n, column in enumerate(self.columns)),
                func.coalesce(matching, literal_column("false")).label("matches"),
                func.row_number().over(order_by=terms).label("place"),
            )
            .where(*within(self.columns, keys), *served, *cursors)
            .order_by(*terms)
            .limit(rows)
        )

    def _shown(
        self, selected: AnySelect, looked: FromClause, rows: Expression, slice: ListArgs, more: int
    ) -> AnySelect:
        """The rows that match, and the last one that was looked at. They are in the order of the
        rows that are looked at, so that no more of those are read than the page needs."""
        at_end = looked.c.place == rows
        (by,) = self.listing.order(slice.order)
        falls = by.falls(slice.window.backward)
        columns = [looked.c[f"looked_k{n}"] for n in range(len(self.columns))]
        terms = [c.desc() if falls else c.asc() for c in (*columns, looked.c.looked_id)]
        found = select(looked.c.looked_id, case((at_end, looked.c.matches)).label("is_last"))
        ended = limited(found.where(or_(looked.c.matches, at_end)).order_by(*terms), slice, more)
        some = ended.lateral("found")
        return selected.join(some, self.listing.id == some.c.looked_id).add_columns(some.c.is_last)

    async def counts(
        self, session: ReadSession, keys: Sequence[Key], slice: ListArgs
    ) -> dict[Key, Counted]:
        """The number of rows in all pages of each parent with rows."""
        asked = requested_keys(self.columns, keys)
        conditions = (*matches(self.columns, asked), *self.listing.conditions(slice))
        page = counted_rows(self.listing.table, *conditions).lateral("counted")
        statement = (
            select(asked.c.position, func.count())
            .join_from(asked, page, true())
            .group_by(asked.c.position)
        )
        rows = await session.rows(of_kind(Kind.AGGREGATE, statement))
        return {keys[row[0] - 1]: Counted(row[1]) for row in rows}

    def _parts(self, slice: ListArgs) -> Parts | None:
        parts = looking.parts_below(self.listing, slice)
        return parts if parts.walked else None

    def _rows(self, parts: Parts, slice: ListArgs, parents: int) -> int:
        return looking.rows_below(self.listing, parts, slice.window.size, parents)
