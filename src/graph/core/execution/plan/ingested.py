"""Ingested: root fields that store one item together with the items of other operations.

Whatever is irregular about an item is left to the ordinary resolver, which reports it: nothing is
stored before the item is a valid row.
"""

from dataclasses import dataclass
from typing import cast

import strawberry
from graphql import GraphQLObjectType
from graphql.execution.values import VariableValues

from db.core.errors import Invalid
from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import PendingBatch
from graph.core.context import Context
from graph.core.execution.plan.document import TYPE_NAME, Details, Document, name_of
from graph.core.execution.plan.item_input import ReadItem, item_reader
from graph.core.execution.plan.roots import ResolvedRoot, Root, RootFailed
from graph.core.execution.plan.run import Run, Unplanned
from graph.core.types.declared import IngestField, ItemStore
from graph.core.types.errors import as_result
from graph.core.types.ingestion import Stored


def ingested_root(
    document: Document, resolved: ResolvedRoot, declared: IngestField, details: Details
) -> Root:
    """The root for a field, or `resolved` if the arguments cannot be compiled."""
    try:
        read = item_reader(resolved.field.place, declared.items.checks)
    except Unplanned:
        return resolved
    return StoredItem(resolved, declared.items, read, _shown(document, details))


class StoredItem:
    """Stores an item and shows its ID. `shown` are the response names of `Stored`, and whether each
    shows the ID or the name of the type."""

    def __init__(
        self, resolved: ResolvedRoot, items: ItemStore, read: ReadItem, shown: dict[str, bool]
    ) -> None:
        self.resolved = resolved
        self.items = items
        self.read = read
        self.shown = shown

    async def value(self, run: Run) -> object:
        try:
            row = self.items.row(run.context, self.read(run.variables.coerced))
        except Exception:
            return await self.resolved.value(run)
        return await self._stored(run, row)

    async def _stored(self, run: Run, row: IngestRow) -> object:
        name = self.resolved.name
        try:
            id = await self.items.store(run.context, row)
        except Invalid as invalid:
            member = run.resolved[name] = as_result(invalid)
            (shown,) = await self.resolved.field.completer.complete(run, [member])
            return shown
        except Exception as error:
            run.resolved[name] = error
            raise RootFailed(error, self.resolved.field.place) from error
        run.resolved[name] = Stored(id=strawberry.ID(id))
        return self.shown_with(id)

    def put(self, context: Context, variables: VariableValues) -> "PutItem":
        """Accept the item to be stored. Raises anything if it is not accepted; then a resolver
        reports it."""
        row = self.items.row(context, self.read(variables.coerced))
        return PutItem(self, row, self.items.put(context, row))

    def shown_with(self, id: str) -> object:
        return {name: id if is_id else Stored.__name__ for name, is_id in self.shown.items()}


@dataclass(frozen=True, slots=True)
class PutItem:
    """An item that was accepted, and is stored when `batch` is done."""

    root: StoredItem
    row: IngestRow
    batch: PendingBatch

    def data(self) -> dict[str, object]:
        """The data of the response. Raises the error that rejects the item."""
        id = self.root.items.outcome(self.row, self.batch)
        return {self.root.resolved.name: self.root.shown_with(id)}

    def rejected(self, error: Exception) -> dict[str, object]:
        """The result of the root field, for graphql-core to report."""
        result = as_result(error) if isinstance(error, Invalid) else error
        return {self.root.resolved.name: result}


def _shown(document: Document, details: Details) -> dict[str, bool]:
    type_ = document.schema.type_map[Stored.__name__]
    fields = document.subfields(cast("GraphQLObjectType", type_), details)
    return {name: name_of(some) != TYPE_NAME for name, some in fields.items()}
