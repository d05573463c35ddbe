"""Listing: how the rows of a table can be listed, declared once per noun.

A `ListSpec` names the columns to filter by, to order by and to search. The filter and order types
of the schema are generated from it.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Label,
    Uuid,
    any_,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import REGCONFIG

from db.core.errors import Invalid
from db.core.query.batch import (
    Column,
    Columns,
    within,
)
from db.core.query.filter import (
    And,
    Compare,
    Condition,
    Filterable,
    Or,
    Relation,
    is_constant,
    related,
)
from db.core.query.keyset import MAX_SIZE, Page, PageArgs
from db.core.query.order import Order, SortKey
from db.core.query.projection import NOT_NESTED, Nested, Projection
from db.core.session.coalescing import ReadCoalescer
from db.core.session.database import ReadSession
from db.core.session.row_rules import Visibility
from db.core.table import AnySelect, Expression, Table, TableT
from db.core.timeouts import Kind, of_kind

ALL_DEFAULTS = PageArgs()


@dataclass(frozen=True, slots=True)
class ListArgs:
    """The arguments of a list: filter, search, order and page."""

    where: Condition | None = None
    search: str | None = None
    order: tuple[tuple[str, bool], ...] = ()
    window: PageArgs = ALL_DEFAULTS

    @property
    def kind(self) -> Kind:
        reaches = self.where is not None and related(self.where)
        return Kind.SEARCH if reaches or self.search is not None else Kind.LIST


NEWEST_ONE = ListArgs(window=PageArgs(first=1))


def columns_by_name(*columns: Column, **renamed: Column) -> dict[str, Column]:
    return {column.name: column for column in columns} | renamed


_EMPTY_QUOTES = re.compile(r'"[^\w"]*"')
_LONE_DASH = re.compile(r'-(?![\w"])')


def searched(text: str) -> str:
    """The text without dashes that exclude nothing: PostgreSQL parses each as an operator, and
    fails on some thirty in a row."""
    return _LONE_DASH.sub(" ", _EMPTY_QUOTES.sub(" ", text))


def labelled(order: Order) -> list[Label[object]]:
    return [by.column.label(f"order_{n}") for n, by in enumerate(order)]


def by_parent(parent: Columns, order: Order, backward: bool) -> list[Expression]:
    """The first terms of the order of rows of parents, in the direction of an index by parent and
    id."""
    return [SortKey(column, order[-1].descending).sql(backward) for column in parent]


def limited(rows: AnySelect, slice: ListArgs, more: int) -> AnySelect:
    """With the limit as a constant: PostgreSQL makes a plan for each execution of a statement whose
    limit is a parameter."""
    return rows.limit(literal_column(str(slice.window.size + more)))


@dataclass(frozen=True, slots=True)
class Matching:
    """Find the ids whose rows match a filter; for ReadCoalescer."""

    listing: "ListSpec"
    where: Condition

    async def __call__(self, session: ReadSession, ids: Collection[UUID]) -> dict[UUID, bool]:
        return dict.fromkeys(await self.listing.matching(session, self.where, ids), True)


@dataclass(frozen=True, eq=False)
class ListSpec:
    """A table and the filters, orders, relations and search of its lists.

    The default order is newest first. `search` is the tsvector of the columns `searched`.
    `facets` are columns of few choices, by which rows can be counted. `where`: the conditions of
    its rows, if it is of a part of the table. `most`: the largest page.
    `grows`: whether there are more rows the longer the gateway is used.
    """

    table: type[Table]
    filters: Mapping[str, Column] = field(default_factory=dict)
    orders: Mapping[str, Column] = field(default_factory=dict)
    relations: Mapping[str, Relation] = field(default_factory=dict)
    time: Column | None = None
    search: Column | None = None
    searched: Columns = ()
    facets: Mapping[str, Column] = field(default_factory=dict)
    where: Sequence[ColumnElement[bool]] = ()
    most: int = MAX_SIZE
    grows: bool = True

    @property
    def id(self) -> Column:
        return self.table.id

    @cached_property
    def filterable(self) -> Filterable:
        return Filterable(self.filters, self.relations, self.time, self.id)

    def order(self, requested: Sequence[tuple[str, bool]]) -> Order:
        """The requested order, followed by the id so that no two rows tie. Repeated columns count
        once."""
        directions: dict[str, bool] = {}
        for name, descending in requested:
            directions.setdefault(name, descending)
        terms = [SortKey(self.orders[name], descending) for name, descending in directions.items()]
        unique = next((n for n, by in enumerate(terms, 1) if by.column is self.id), None)
        newest = not terms or terms[-1].descending
        return tuple(terms[:unique]) if unique else (*terms, SortKey(self.id, newest))

    def conditions(self, slice: ListArgs) -> list[ColumnElement[bool]]:
        filtered = [*self.where]
        if slice.where is not None:
            filtered.append(self.filterable.compile(slice.where))
        return filtered if slice.search is None else [*filtered, self._matching(slice.search)]

    def _matching(self, text: str) -> ColumnElement[bool]:
        """The search condition; true for a text without a searchable word, which PostgreSQL alone
        would match with nothing."""
        if self.search is None:
            raise Invalid("This list cannot be searched.", "search")
        query = func.websearch_to_tsquery(literal("english", REGCONFIG), searched(text))
        return or_(func.numnode(query) == 0, self.search.bool_op("@@")(query))

    async def page(
        self, session: ReadSession, slice: ListArgs, *conditions: ColumnElement[bool]
    ) -> Page[Table]:
        order = self.order(slice.order)
        statement = self.table.select().where(*conditions, *self.conditions(slice))
        page = slice.window.of_list(statement, order, [by.name for by in order])
        rows = await session.records(self.table, of_kind(slice.kind, page))
        return slice.window.page(rows, order)

    def of_parent(
        self,
        selected: AnySelect,
        parent: Columns,
        keys: Sequence[Expression | Column],
        slice: ListArgs,
        order: Order,
    ) -> AnySelect:
        """Select the page of one parent. It is sorted by its parent first, which does not change
        its order. Otherwise PostgreSQL may scan whole partitions by id for the few rows of a
        parent."""
        rows = selected.where(*within(parent, keys), *self.conditions(slice))
        terms = by_parent(parent, order, slice.window.backward)
        return slice.window.of_parent(rows.order_by(*terms), order)

    def select_page(
        self, projection: Projection, slice: ListArgs, nested: Nested = NOT_NESTED, more: int = 1
    ) -> AnySelect:
        """Select the rows of a page, and `more`. After the columns of the projection come those of
        the order, for cursors."""
        order = self.order(slice.order)
        terms = labelled(order)
        selected = select(*projection.selected(nested), *terms).select_from(self.table)
        rows = selected.where(*self.conditions(slice))
        page = slice.window.of_list(rows, order, [column.key for column in terms])
        return of_kind(slice.kind, limited(page, slice, more))

    def select_below(
        self, selected: AnySelect, parent: Columns, keys: Columns, slice: ListArgs
    ) -> AnySelect:
        """Select the rows of the page of one parent, whose key is in columns of a statement
        around it."""
        page = self.of_parent(selected, parent, keys, slice, self.order(slice.order))
        return limited(page, slice, 0)

    def is_planned_once(self, slice: ListArgs) -> bool:
        """True if a page has no value to plan for: no search, and no filter but on few choices,
        which are constants of the statement."""
        return slice.search is None and (slice.where is None or self._has_few(slice.where))

    def _has_few(self, where: Condition) -> bool:
        match where:
            case Compare(name, operator, value):
                column = self.filters.get(name)
                return column is not None and is_constant(column, operator, value)
            case And(conditions) | Or(conditions):
                return all(map(self._has_few, conditions))
        return False

    async def matching_rows(
        self,
        where: Condition | None,
        rows: Sequence[TableT],
        coalescer: ReadCoalescer,
        visibility: Visibility,
    ) -> Sequence[TableT]:
        """The rows that match a filter. Reads only if the rows themselves do not decide; callers
        with the same rows and filter share the result. Raises Unavailable."""
        if where is None:
            return rows
        key = self, where, visibility, tuple(map(id, rows))
        return await coalescer.shared(
            key, partial(self._matching_rows, where, rows, coalescer, visibility)
        )

    async def _matching_rows(
        self,
        where: Condition,
        rows: Sequence[TableT],
        coalescer: ReadCoalescer,
        visibility: Visibility,
    ) -> list[TableT]:
        await coalescer.turns.next(self.table.__tablename__)
        found = {row.id: self.filterable.holds(where, row) for row in rows}
        unknown = [id for id, known in found.items() if known is None]
        found |= await coalescer.of(Matching(self, where), unknown, visibility)
        return [row for row in rows if found[row.id]]

    async def matching(
        self, session: ReadSession, where: Condition, ids: Collection[UUID]
    ) -> frozenset[UUID]:
        among = self.id == any_(literal(list(ids), ARRAY(Uuid)))
        rows = await session.rows(select(self.id).where(among, self.filterable.compile(where)))
        return frozenset(id for (id,) in rows)
