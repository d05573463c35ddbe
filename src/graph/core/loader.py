"""Loaders: all rows that one level of a query needs, in one statement.

A loader is a class, instantiated by `DreamById.of(info)` on first use: once for each set of
arguments and each operation, and in a mutation once for each root field. A subclass declares what
to load.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Self

from aiodataloader import DataLoader

from db import Database, ReadSession
from db.core.query import batch
from db.core.query.batch import Column, Columns, Key
from db.core.query.keyset import PageArgs
from db.core.query.listing import ListArgs, ListSpec
from db.core.table import Table
from graph.core.context import Info


class Loader(DataLoader[Any, Any]):
    """Loads one value for each key of a batch; `missing` for keys without one."""

    missing: ClassVar[Any] = None

    def __init__(self, db: Database, *arguments: Any) -> None:
        super().__init__()
        self.db = db
        self.arguments = arguments

    @classmethod
    def of(cls, info: Info, *arguments: Any) -> Self:
        """The operation's loader of this class with these (hashable) arguments."""
        loaders, name = info.context.loaders, (cls, *arguments)
        if name not in loaders:
            loaders[name] = cls(info.context.db, *arguments)
        loader: Self = loaders[name]
        return loader

    async def batch_load_fn(self, keys: list[Key]) -> list[Any]:
        async with self.db.read() as session:
            found = await self.found(session, keys)
        return [found.get(key, self.missing) for key in keys]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        """The values by key. Keys without a value may be omitted."""
        raise NotImplementedError


class One(Loader):
    """The record with the key in one or several columns."""

    table: ClassVar[type[Table]]
    columns: ClassVar[Columns]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await batch.rows_by_key(session, self.table, self.columns, keys)


@cache
def by_id(table: type[Table]) -> type[One]:
    """The loader of a table's records by ID. Relations and `node(id:)` share it."""
    return type(f"{table.__name__}ById", (One,), {"table": table, "columns": (table.id,)})


class Many(Loader):
    """All records with the key in one or several columns, sorted."""

    missing = ()
    table: ClassVar[type[Table]]
    columns: ClassVar[Columns]
    order: ClassVar[tuple[Column, ...]]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await batch.rows_by_parent(session, self.table, self.columns, keys, *self.order)


class Pages(Loader):
    """One page of records for each parent. Its argument is a ListArgs."""

    listing: ClassVar[ListSpec]
    columns: ClassVar[Columns]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await self.listing.pages(session, self.columns, keys, *self.arguments)


class Counts(Loader):
    """The number of records of each parent. Its arguments are a Pages loader and a ListArgs."""

    missing = 0

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        pages, list_args = self.arguments
        return await pages.listing.counts(session, pages.columns, keys, list_args)


class Latest(Pages):
    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        pages = await self.listing.pages(session, self.columns, keys, NEWEST_ONE)
        return {key: page.records[0] for key, page in pages.items() if page.records}


NEWEST_ONE = ListArgs(window=PageArgs(first=1))
