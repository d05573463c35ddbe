"""Declared fields: what the resolver of a field does, as data that plans of operations use."""

from dataclasses import dataclass
from typing import Any

from db.core.query.listing import ListSpec
from db.core.table import Table
from graph.core.loader import Loader, Pages
from graph.core.permission import Access

AnyLoader = Loader[Any]  # of any value, which its field completes


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
class ListedField:
    """Shows a page of a whole table."""

    listing: ListSpec


@dataclass(frozen=True, slots=True)
class NodeField:
    """Shows the row of a table whose global ID is the argument `id`."""

    table: type[Table]


Declared = ColumnField | IdField | RelatedField | ConnectedField | ListedField | NodeField
