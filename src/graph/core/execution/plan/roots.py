"""Roots: the root fields of an operation."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol
from uuid import UUID

from graphql.execution.values import VariableValues

from db.core.errors import Crowded, TooLarge
from db.core.query import looking
from db.core.query.batch import select_by_key, select_one
from db.core.query.counting import Counted
from db.core.query.facets import FacetCounts, facet_counts
from db.core.query.listing import ListArgs, ListSpec
from graph.core.execution.plan.completion import FieldPlace, ResolvedField, awaited
from graph.core.execution.plan.connections import AnyPage, ConnectionShape, Counts
from graph.core.execution.plan.fallback import RaisedLater
from graph.core.execution.plan.run import NO_ARGS, Arguments, Irregular, Level, Run, Statement
from graph.core.execution.plan.shapes import Shape
from graph.core.once import once
from graph.core.permission import Access
from graph.core.types.node import parse_id


class Root(Protocol):
    """A field of the query type: its value."""

    async def value(self, run: Run) -> object: ...


class ConstantRoot:
    """The field `__typename` of the query type."""

    def __init__(self, constant: str) -> None:
        self.constant = constant

    async def value(self, _run: Run) -> object:
        return self.constant


class RowsOfList:
    """A page of a whole table, with the columns that are shown, as a connection."""

    def __init__(self, listing: ListSpec, level: Level, shape: ConnectionShape) -> None:
        self.order = listing.order
        self.shape = shape
        self.statement = Statement(
            level,
            lambda list_args, nested: listing.select_page(level, list_args, nested, shape.more),
        )

    async def page(self, run: Run, list_args: ListArgs) -> AnyPage:
        rows = await run.rows(self.statement, list_args)
        return list_args.window.page(rows, self.order(list_args.order))


class RecordsOfList:
    """A page of a whole table, as whole records, as a connection."""

    def __init__(self, listing: ListSpec, shape: ConnectionShape) -> None:
        self.listing = listing
        self.shape = shape

    async def page(self, run: Run, list_args: ListArgs) -> AnyPage:
        async with run.context.db.read() as session:
            return await self.listing.page(session, list_args)


ListReader = RowsOfList | RecordsOfList


class ListedPage:
    """A root field with a page of a whole table. It is read as a `whole` if PostgreSQL plans it
    once, and else `by_level`."""

    def __init__(
        self,
        place: FieldPlace,
        listing: ListSpec,
        whole: ListReader,
        by_level: ListReader,
        arguments: Arguments,
    ) -> None:
        self.place = place
        self.listing = listing
        self.whole = whole
        self.by_level = by_level
        self.arguments = arguments

    async def value(self, run: Run) -> object:
        list_args = self.arguments(run)
        reader = self.whole if self.listing.is_planned_once(list_args) else self.by_level
        with failing_at_root(self.place):
            page = await reader.page(run, await self._within_look(run, list_args))

        async def totals() -> list[Counted]:
            async with run.context.db.read() as session:
                return [await looking.count(session, self.listing, list_args)]

        async def facet(name: str) -> list[FacetCounts]:
            async with run.context.db.read() as session:
                return [await facet_counts(session, self.listing, name, list_args)]

        counts = Counts(once(totals), facet)
        (connection,) = await reader.shape.objects(run, [page], counts)
        return connection

    async def _within_look(self, run: Run, list_args: ListArgs) -> ListArgs:
        if looking.is_whole(self.listing, list_args):
            return list_args
        async with run.context.db.read() as session:
            return await looking.within_look(session, self.listing, list_args)


class RowById:
    """A root field with the row whose global ID is its argument."""

    def __init__(
        self,
        place: FieldPlace,
        level: Level,
        id_of: Callable[[Run], str],
        id_variable: str | None,
        access: Access,
        shape: Shape,
    ) -> None:
        self.place = place
        self.id_variable = id_variable  # None for a constant, and a variable that is used elsewhere
        self.table = level.table
        self.id_of = id_of
        self.access = access
        self.shape = shape
        id = level.table.id
        self.one = Statement(level, lambda _, nested: select_one(level, id, nested))
        self.many = Statement(level, lambda _, nested: select_by_key(level, (id,), nested))

    async def value(self, run: Run) -> object:
        _, id = parse_id(self.id_of(run), self.table)
        if not run.may(self.access):
            return None
        with failing_at_root(self.place):
            row = await run.row(self.one, self.many, id)
        if row is None:
            return None
        (shown,) = await self.shape.objects(run, [row])
        return shown

    def own_id(self, variables: VariableValues) -> UUID | None:
        """The ID, if it is a variable of its own. Raises Invalid."""
        if self.id_variable is None:
            return None
        return parse_id(variables.coerced[self.id_variable], self.table)[1]

    async def objects(self, run: Run, ids: Sequence[UUID]) -> list[object]:
        """The objects with these IDs, None for those that are not visible."""
        found: list[object] = [None] * len(ids)
        if not run.may(self.access):
            return found
        if len(ids) == 1:
            rows = await run.rows(self.one, NO_ARGS, ids)
        else:
            rows = await run.rows(self.many, NO_ARGS, [ids])
        objects = await self.shape.objects(run, rows)
        for row, each in zip(rows, objects, strict=True):
            found[row[-1] - 1] = each
        return found


class ResolvedRoot:
    """A root field whose resolver is called, once: graphql-core completes its result if this plan
    cannot. In a mutation it has its own loaders, because rows that a loader has read are valid only
    until the next write."""

    def __init__(self, name: str, field: ResolvedField) -> None:
        self.name = name
        self.field = field

    async def value(self, run: Run) -> object:
        if run.operation.kind == "mutation":
            run.context.loaders = {}
        with failing_at_root(self.field.place):
            results = await self._results(run)
        (value,) = await self.field.completer.complete(run, results)
        return value

    async def _results(self, run: Run) -> list[object]:
        try:
            called = self.field.called(run, [run.root])
        except Exception as error:
            run.resolved[self.name] = error
            raise
        try:
            results = await awaited(called)
        except Exception as error:
            run.resolved[self.name] = RaisedLater(error)
            raise
        (run.resolved[self.name],) = results
        return results


class RootFailed(Exception):
    """A root field failed, with the error that it reports."""

    def __init__(self, error: Exception, place: FieldPlace) -> None:
        super().__init__(str(error))
        self.error = error
        self.place = place


@contextmanager
def failing_at_root(place: FieldPlace) -> Iterator[None]:
    try:
        yield
    except (TooLarge, Crowded, Irregular):
        raise
    except Exception as error:
        raise RootFailed(error, place) from error


def list_reader(listing: ListSpec, level: Level | None, shape: ConnectionShape) -> ListReader:
    return RecordsOfList(listing, shape) if level is None else RowsOfList(listing, level, shape)
