"""Ingested: root fields that store one item together with the items of other operations.

Whatever is irregular about an item is left to the ordinary resolver, which reports it: nothing is
stored before the item is a valid row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import GraphQLObjectType
from graphql.execution.values import VariableValues

from db.core.ingest.rows import IngestRow
from db.core.ingest.writer import PendingBatch
from graph.core.context import Context
from graph.core.execution.plan.document import (
    TYPE_NAME,
    Details,
    Document,
    name_of,
    object_type,
)
from graph.core.execution.plan.item_input import ReadItem, item_reader
from graph.core.execution.plan.roots import ResolvedRoot, Root, RootFailed
from graph.core.execution.plan.run import Run, Unplanned
from graph.core.types.declared import IngestField, ItemStore
from graph.core.types.errors import EXPECTED
from graph.core.types.payload import Payload, payload_of

STORED_ID, ERRORS = "stored_id", "errors"  # the fields of `Stored` and of every payload


def ingested_root(
    document: Document, resolved: ResolvedRoot, declared: IngestField, details: Details
) -> Root:
    """The root for a field, or `resolved` if the arguments cannot be compiled."""
    place = resolved.field.place
    payload = payload_of(place.field)
    try:
        read = item_reader(place, declared.items.checks)
    except Unplanned:
        return resolved
    if payload is None:
        return resolved
    shown = _shown(document, object_type(place.field.type), details)
    return StoredItem(resolved, declared.items, read, payload, shown)


class StoredItem:
    """Stores an item and shows its payload. `shown` are the response names, each with the value
    that it shows, or None for the ID."""

    def __init__(
        self,
        resolved: ResolvedRoot,
        items: ItemStore,
        read: ReadItem,
        payload: type[Payload],
        shown: Mapping[str, object],
    ) -> None:
        self.resolved = resolved
        self.items = items
        self.read = read
        self.payload = payload
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
        except EXPECTED as error:
            failed = run.resolved[name] = self.payload.failed(error)
            (shown,) = await self.resolved.field.completer.complete(run, [failed])
            return shown
        except Exception as error:
            run.resolved[name] = error
            raise RootFailed(error, self.resolved.field.place) from error
        run.resolved[name] = self.payload.showing({STORED_ID: id})
        return self.shown_with(id)

    def put(self, context: Context, variables: VariableValues) -> "PutItem":
        """Accept the item to be stored. Raises anything if it is not accepted; then a resolver
        reports it."""
        row = self.items.row(context, self.read(variables.coerced))
        return PutItem(self, row, self.items.put(context, row))

    def shown_with(self, id: str) -> object:
        return {name: id if value is None else value for name, value in self.shown.items()}


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
        result = self.root.payload.failed(error) if isinstance(error, EXPECTED) else error
        return {self.root.resolved.name: result}


def _shown(document: Document, type_: GraphQLObjectType, details: Details) -> Mapping[str, object]:
    constants: dict[str, object] = {TYPE_NAME: type_.name, ERRORS: []}
    fields = document.subfields(type_, details)
    return {name: constants.get(name_of(some)) for name, some in fields.items()}
