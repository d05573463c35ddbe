"""Loaders: all rows that one level of a query needs, in one statement.

A loader is a class, instantiated by `DreamById.of(info)` on first use: once for each set of
arguments and each operation, and in a mutation once for each root field. A subclass declares what
to load.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import ClassVar, Generic, Self, TypeVar, TypeVarTuple, cast

from aiodataloader import DataLoader

from db import Database, ReadSession
from db.core.query import batch
from db.core.query.batch import Column, Columns, Key
from db.core.query.children import Children
from db.core.query.counting import Counted
from db.core.query.facets import FacetCounts, facet_counts_by_parent
from db.core.query.keyset import Page
from db.core.query.listing import NEWEST_ONE, ListArgs, ListSpec
from db.core.table import Table, TableT
from graph.core.context import Info

Value = TypeVar("Value")
Arguments = TypeVarTuple("Arguments")


class Loader(DataLoader[Key, Value], Generic[Value, *Arguments]):
    """Loads one value for each key of a batch; `missing` for keys without one, if there can be any.
    `Arguments` are hashable."""

    missing: Value

    def __init__(self, db: Database, *arguments: *Arguments) -> None:
        super().__init__()
        self.db = db
        self.arguments = arguments

    @classmethod
    def of(cls, info: Info, *arguments: *Arguments) -> Self:
        loaders, name = info.context.loaders, (cls, *arguments)
        if name not in loaders:
            loaders[name] = cls(info.context.db, *arguments)
        loader: Self = loaders[name]  # type: ignore[assignment]  # its class is in the key
        return loader

    async def batch_load_fn(self, keys: list[Key]) -> list[Value]:
        async with self.db.read() as session:
            found = await self.found(session, keys)
        return [found[key] if key in found else self.missing for key in keys]  # noqa: SIM401  it may lack `missing`

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """The values by key. Keys without a value may be omitted."""
        raise NotImplementedError


class One(Loader[TableT | None], Generic[TableT]):
    """The record with the key in one or several columns."""

    missing = None
    table: type[TableT]
    columns: ClassVar[Columns]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, TableT]:
        return await batch.rows_by_key(session, self.table, self.columns, keys)


def by_id(table: type[TableT]) -> type[One[TableT]]:
    return cast("type[One[TableT]]", _by_id(table))  # a cached function cannot be generic


@cache
def _by_id(table: type[Table]) -> type[One[Table]]:
    return type(f"{table.__name__}ById", (One,), {"table": table, "columns": (table.id,)})


class Many(Loader[Sequence[TableT]], Generic[TableT]):
    """All records with the key in one or several columns, sorted."""

    missing = ()
    table: type[TableT]
    columns: ClassVar[Columns]
    order: ClassVar[tuple[Column, ...]]

    async def found(
        self, session: ReadSession, keys: Sequence[Key]
    ) -> Mapping[Key, Sequence[TableT]]:
        return await batch.rows_by_parent(session, self.table, self.columns, keys, *self.order)


def _shared(db: Database, of_visible_parents: bool) -> Database:
    return db.unrestricted() if of_visible_parents else db


class Pages(Loader[Page[Table], ListArgs]):
    """One page of records for each parent. `of_visible_parents`: viewers of the parent see
    its records, whatever the row rule of their table says."""

    listing: ClassVar[ListSpec]
    columns: ClassVar[Columns]
    of_visible_parents: ClassVar[bool] = False

    def __init__(self, db: Database, *arguments: *tuple[ListArgs]) -> None:
        super().__init__(_shared(db, self.of_visible_parents), *arguments)

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Page[Table]]:
        children = Children(self.listing, self.columns)
        return await children.pages(session, keys, *self.arguments)


class Counts(Loader[Counted, type[Pages], ListArgs]):
    """The number of records of each parent."""

    missing = Counted(0)

    def __init__(self, db: Database, *arguments: *tuple[type[Pages], ListArgs]) -> None:
        super().__init__(_shared(db, arguments[0].of_visible_parents), *arguments)

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Counted]:
        pages, list_args = self.arguments
        return await Children(pages.listing, pages.columns).counts(session, keys, list_args)


class Facets(Loader[FacetCounts, type[Pages], str, ListArgs]):
    """The number of records of each parent by the values of a facet."""

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, FacetCounts]:
        pages, name, list_args = self.arguments
        return await facet_counts_by_parent(
            session, pages.listing, name, list_args, pages.columns, keys
        )


class Latest(Loader[Table | None]):
    """The newest record of each parent."""

    missing = None
    listing: ClassVar[ListSpec]
    columns: ClassVar[Columns]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Table]:
        children = Children(self.listing, self.columns)
        pages = await children.pages(session, keys, NEWEST_ONE)
        return {key: page.records[0] for key, page in pages.items() if page.records}
