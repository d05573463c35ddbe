"""Reads: the statements of fields below the root, one for each level."""

from typing import Protocol

import orjson

from db.core.query.batch import arrays_of, select_by_key
from db.core.query.children import Children, Found
from db.core.query.counting import Counted
from db.core.query.facets import FacetCounts, facet_counts_by_parent
from db.core.query.listing import NEWEST_ONE, ListArgs
from db.core.table import Table
from db.core.values import json
from graph.core.execution.plan.completion import Completer, FieldPlace
from graph.core.execution.plan.connections import AnyPage, ConnectionShape, Counts
from graph.core.execution.plan.run import NO_ARGS, Arguments, Irregular, Level, Run, Statement
from graph.core.execution.plan.shapes import Shape
from graph.core.loader import Latest, One, Pages
from graph.core.once import once
from graph.core.types.declared import AnyLoader


class RowByKey:
    """The row with a key of each parent, as an object."""

    def __init__(
        self,
        loader: type[One[Table]],
        level: Level,
        shape: Shape,
        is_required: bool,
    ) -> None:
        self.width = len(loader.columns)
        self.shape = shape
        self.is_required = is_required
        self.statement = Statement(
            level, lambda _, nested: select_by_key(level, loader.columns, nested)
        )

    async def values(self, run: Run, keys: list[object]) -> list[object]:
        distinct = [key for key in dict.fromkeys(keys) if key is not None]
        found = await self._found(run, distinct) if distinct else {}
        if self.is_required and (len(found) < len(distinct) or None in keys):
            raise Irregular("null in a field that is not nullable")
        if len(distinct) < len(keys):
            _encode_repeated(run, keys, found)
        return [found.get(key) for key in keys]

    async def _found(self, run: Run, keys: list[object]) -> dict[object, object]:
        rows = await run.rows(self.statement, NO_ARGS, arrays_of(keys, self.width))
        objects = await self.shape.objects(run, rows)
        return {keys[row[-1] - 1]: each for row, each in zip(rows, objects, strict=True)}


def _encode_repeated(run: Run, keys: list[object], found: dict[object, object]) -> None:
    """Encode objects that are shown several times once, and count the bytes of all of them: a small
    row may be repeated in a response that is too large."""
    encoded = {key: json.dumps(each) for key, each in found.items()}
    run.meter.add(sum(len(encoded[key]) for key in keys if key in encoded))
    run.meter.check()
    found.update((key, orjson.Fragment(text.decode())) for key, text in encoded.items())


class LatestByKey:
    """The newest row of each parent, as an object."""

    def __init__(self, loader: type[Latest], level: Level, shape: Shape) -> None:
        self.width = len(loader.columns)
        self.shape = shape
        children = Children(loader.listing, loader.columns)
        self.statement = Statement(
            level, lambda list_args, nested: children.select_pages(level, list_args, nested, 0)
        )

    async def values(self, run: Run, keys: list[object]) -> list[object]:
        distinct = [key for key in dict.fromkeys(keys) if key is not None]
        rows = await run.rows(self.statement, NEWEST_ONE, arrays_of(distinct, self.width))
        objects = await self.shape.objects(run, rows)
        found = {distinct[row[-1] - 1]: each for row, each in zip(rows, objects, strict=True)}
        return [found.get(key) for key in keys]


class ByKey(Protocol):
    """Reads a page of rows for each key."""

    async def pages(self, run: Run, list_args: ListArgs, keys: list[object]) -> list[AnyPage]: ...


class RowsByKey:
    """Pages of the rows of each parent, with the columns that are shown."""

    def __init__(self, pages: type[Pages], level: Level, more: int) -> None:
        self.children = children = Children(pages.listing, pages.columns)
        self.order = pages.listing.order
        self.statement = Statement(
            level, lambda list_args, nested: children.select_pages(level, list_args, nested, more)
        )

    async def pages(self, run: Run, list_args: ListArgs, keys: list[object]) -> list[AnyPage]:
        rows = await run.rows(self.statement, list_args, self.children.arrays(keys, list_args))
        found: list[Found[object]] = [Found() for _ in keys]
        looks = self.children.looks(list_args)
        for row in rows:
            if looks:
                found[row[-1] - 1].add(row, row[-3], row[-2])
            else:
                found[row[-1] - 1].rows.append(row)
        order = self.order(list_args.order)
        return [each.page(list_args.window, order) for each in found]


class RecordsByKey:
    """Pages of the rows of each parent, as whole records."""

    def __init__(self, pages: type[Pages]) -> None:
        self.children = Children(pages.listing, pages.columns)

    async def pages(self, run: Run, list_args: ListArgs, keys: list[object]) -> list[AnyPage]:
        async with run.context.db.read() as session:
            found = await self.children.pages(session, keys, list_args)
        return [found[key] for key in keys]


class PagesByKey:
    """A page of the rows of each parent, as a connection."""

    def __init__(
        self, pages: type[Pages], read: ByKey, shape: ConnectionShape, arguments: Arguments
    ) -> None:
        self.listing, self.columns = pages.listing, pages.columns
        self.children = Children(pages.listing, pages.columns)
        self.read = read
        self.shape = shape
        self.arguments = arguments

    async def values(self, run: Run, keys: list[object]) -> list[object]:
        list_args = self.arguments(run)
        distinct = list(dict.fromkeys(keys))
        if len(distinct) < len(keys) or None in distinct:
            raise Irregular("parents without a key of their own")

        async def totals() -> list[Counted]:
            async with run.context.db.read() as session:
                found = await self.children.counts(session, keys, list_args)
            return [found.get(key, Counted(0)) for key in keys]

        async def facet(name: str) -> list[FacetCounts]:
            async with run.context.db.read() as session:
                found = await facet_counts_by_parent(
                    session, self.listing, name, list_args, self.columns, keys
                )
            return [found[key] for key in keys]

        pages = await self.read.pages(run, list_args, keys)
        return await self.shape.objects(run, pages, Counts(once(totals), facet))


class LoadedByKey:
    """The value of a loader for the key of each parent."""

    def __init__(self, loader: type[AnyLoader], place: FieldPlace, completer: Completer) -> None:
        self.loader = loader
        self.place = place
        self.completer = completer

    async def values(self, run: Run, keys: list[object]) -> list[object]:
        loader = self.loader.of(self.place.strawberry_info(run))
        loaded = iter(await loader.load_many([key for key in keys if key is not None]))
        values = [None if key is None else next(loaded) for key in keys]
        return await self.completer.complete(run, values)


def page_reader(pages: type[Pages], level: Level | None, more: int) -> ByKey:
    """`more`: the rows that are read after each page, to know whether there are any."""
    return RecordsByKey(pages) if level is None else RowsByKey(pages, level, more)
