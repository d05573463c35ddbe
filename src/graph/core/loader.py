"""Loaders: everything one level of a query asks for, in one statement.

A loader is a class reached by `DreamById.of(info)`: made on first use, one for each set of
arguments and each operation, in a mutation for each root field. The subclass says what to load; its
base knows how.
"""

from collections.abc import Mapping, Sequence
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
    """A batch of keys in, one value for each out; `missing` where there is none."""

    missing: ClassVar[Any] = None

    def __init__(self, db: Database, *arguments: Any) -> None:
        super().__init__()
        self.db = db
        self.arguments = arguments

    @classmethod
    def of(cls, info: Info, *arguments: Any) -> Self:
        """This operation's loader of the class, for these (hashable) arguments."""
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
        """The values of the keys, by key; a key without a value may be left out."""
        raise NotImplementedError


class One(Loader):
    """The record whose column (or columns) hold the key."""

    table: ClassVar[type[Table]]
    columns: ClassVar[Columns]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await batch.rows_by_key(session, self.table, self.columns, keys)


class Many(Loader):
    """All records whose column (or columns) hold the key, in order."""

    missing = ()
    table: ClassVar[type[Table]]
    columns: ClassVar[Columns]
    order: ClassVar[tuple[Column, ...]]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await batch.rows_by_parent(session, self.table, self.columns, keys, *self.order)


class Pages(Loader):
    """One page of records per parent; its argument is the slice wanted."""

    listing: ClassVar[ListSpec]
    columns: ClassVar[Columns]

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        return await self.listing.pages(session, self.columns, keys, *self.arguments)


class Counts(Loader):
    """How many records each parent has in the slice; made from a Pages loader."""

    missing = 0

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        pages, slice = self.arguments
        return await pages.listing.counts(session, pages.columns, keys, slice)


class Latest(Pages):
    """The newest record of each parent."""

    async def found(self, session: ReadSession, keys: Sequence[Key]) -> Mapping[Key, Any]:
        pages = await self.listing.pages(session, self.columns, keys, NEWEST_ONE)
        return {key: page.records[0] for key, page in pages.items() if page.records}


NEWEST_ONE = ListArgs(window=PageArgs(first=1))
