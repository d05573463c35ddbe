"""Ingested: root fields that store one item together with the items of other operations.

Whatever is irregular about an item is left to the ordinary resolver, which reports it: nothing is
stored before the item is a valid row.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from graphql import GraphQLObjectType
from graphql.execution.values import VariableValues

from db.core.errors import DomainError
from db.core.ingest.rows import IngestRow, RowTemplate
from db.core.values import json
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

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

ID = "\N{WHITE SQUARE}"  # what no response name and no type name contains
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
        response = json.dumps({"data": {resolved.name: self.shown_with(ID)}})
        self.parts = response.split(ID.encode())  # the ID of a row goes between them

    async def value(self, run: Run) -> object:
        try:
            row = self.row(run.context, run.variables)
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

    def row(self, context: Context, variables: VariableValues) -> IngestRow:
        """The row to store. Raises anything if the item is not valid; then a resolver reports
        it."""
        return self.items.row(context, self.read(variables.coerced))

    def template(self, variables: VariableValues) -> RowTemplate | None:
        """The row without its id and its time, if all else is known by the variables. Raises as
        `row`."""
        return self.items.template_of(self.read(variables.coerced))

    def response(self, row: IngestRow) -> bytes:
        """The response for a row that was stored."""
        return self.items.id_of(row).encode().join(self.parts)

    def rejected(self, error: DomainError) -> dict[str, object]:
        """The result of the root field for an error that rejects the row, for graphql-core to
        report."""
        named = self.items.with_input_names(error)
        result = self.payload.failed(named) if isinstance(named, EXPECTED) else named
        return {self.resolved.name: result}

    def shown_with(self, id: str) -> object:
        return {name: id if value is None else value for name, value in self.shown.items()}


class SingleItem(NamedTuple):
    """The root field of a mutation that stores one item, and its row, if that does not depend on
    the caller and the time."""

    root: StoredItem
    template: RowTemplate | None


def single_item(operation: "Operation", variables: VariableValues) -> SingleItem | None:
    """None for a mutation that has to be executed: it stores no item, or one that is not valid."""
    plan = operation.plans.ready(variables)
    roots = tuple(plan.roots.values()) if plan else ()
    if len(roots) != 1 or not isinstance(roots[0], StoredItem):
        return None
    try:
        return SingleItem(roots[0], roots[0].template(variables))
    except Exception:  # its resolver reports it
        return None


def _shown(document: Document, type_: GraphQLObjectType, details: Details) -> Mapping[str, object]:
    constants: dict[str, object] = {TYPE_NAME: type_.name, ERRORS: []}
    fields = document.subfields(type_, details)
    return {name: constants.get(name_of(some)) for name, some in fields.items()}
