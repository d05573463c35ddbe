"""Declared fields: what the resolver of a field does, as data that plans of operations use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from db.core.errors import DomainError
from db.core.ingest.rows import IngestRow, RowTemplate
from db.core.ingest.writer import IngestTarget
from db.core.query.listing import ListSpec
from db.core.table import Table
from db.core.values.validation import Check
from graph.core.context import Context
from graph.core.loader import Loader, Pages
from graph.core.permission import Access

AnyLoader = Loader[Any]  # of any value, which its field completes
ItemInput = Mapping[str, Any]  # each of the type that the input declares for its name


@dataclass(frozen=True, slots=True)
class ColumnField:
    """Shows a column. With `others`, it is null in rows of other users for viewers without that
    access."""

    name: str
    others: Access | None = None


@dataclass(frozen=True, slots=True)
class IdField:
    """Shows the global ID."""


@dataclass(frozen=True, slots=True)
class RelatedField:
    """Shows the loader's value for the named columns; null if one of them is null."""

    loader: type[AnyLoader]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConnectedField:
    """Shows a page of the rows that belong to a parent, whose key is in the named columns."""

    pages: type[Pages]
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FacetField:
    """Shows the numbers of rows of a list by the values of a facet."""

    name: str


@dataclass(frozen=True, slots=True)
class ListedField:
    """Shows a page of a whole table."""

    listing: ListSpec


@dataclass(frozen=True, slots=True)
class NodeField:
    """Shows the row of a table whose global ID is the argument `id`."""

    table: type[Table]


class ItemStore(Protocol):
    """Stores items of one kind. `checks` are those of the rows, by column."""

    @property
    def intake(self) -> IngestTarget: ...

    @property
    def checks(self) -> Mapping[str, Check]: ...

    def row(self, context: Context, input: ItemInput, /) -> IngestRow: ...

    async def store(self, context: Context, row: IngestRow, /) -> str:
        """Return the global ID."""
        ...

    def template_of(self, input: ItemInput, /) -> RowTemplate | None:
        """The row of an item without its id and its time, if all else is known by the input."""
        ...

    def id_of(self, row: IngestRow, /) -> str:
        """The global ID of a row."""
        ...

    def with_input_names(self, error: DomainError, /) -> DomainError:
        """An error of a row, with the names of input fields."""
        ...


@dataclass(frozen=True, slots=True)
class IngestField:
    """Stores the item in the argument `input`, together with items of other operations."""

    items: ItemStore


Declared = (
    ColumnField
    | IdField
    | RelatedField
    | ConnectedField
    | FacetField
    | ListedField
    | NodeField
    | IngestField
)
