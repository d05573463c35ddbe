"""Nodes: entities with an id of their own, printed as `<type>_<32 hex digits>`."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar
from uuid import UUID

import strawberry

from db.core.errors import Invalid
from db.core.query.keyset import MAX_SIZE
from db.core.table import Table
from db.core.values import validation
from db.core.values.validation import Check
from graph.core.context import Info
from graph.core.loader import Loader, One
from graph.core.permission import VALUE, Access
from graph.core.types.field import argument, described, field

T = TypeVar("T", bound=type)

ID = replace(validation.string(100, 0), said="")  # those of this API have fewer characters

IdOf = Annotated[strawberry.ID, argument("The `id` of an entity.", ID)]
Ids = Annotated[
    list[strawberry.ID],
    argument("The ids of entities.", validation.items(MAX_SIZE)),
]


@dataclass(frozen=True, slots=True)
class NodeType:
    """A registered node: the prefix of its ids, and the loader that finds it by id."""

    prefix: str
    loader: type[Loader]
    access: Access


_by_record: dict[type, NodeType] = {}
_by_prefix: dict[str, NodeType] = {}


def global_id(root: Any) -> str:
    """The id of a record as clients see it."""
    return id_of(type(root), root.id)


def id_of(record: type, id: UUID) -> str:
    """The printed id of a record's class and key."""
    return f"{_by_record[record].prefix}_{id.hex}"


@strawberry.interface(description="An entity with an id that is unique among all entities.")
class Node:
    """An entity with an id that is unique among all entities."""

    access = VALUE
    viewer_independent = True
    id: strawberry.ID = field(
        "Opaque and unique among all entities; good for `node(id:)` and for caches.",
        resolver=global_id,
        columns=("id",),
    )


def node(table: type[Table], access: Access, viewer_independent: bool = False) -> Callable[[T], T]:
    """Registers a type as the node of a table: its ids, who may read it, and its loader by id. It
    is `alike` when its fields look the same to all who may read it, so that subscribers can share
    them."""

    def register(cls: T) -> T:
        prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        members = {"table": table, "columns": (table.id,)}
        by_id = type(f"{cls.__name__}ById", (One,), members)
        registered = NodeType(prefix, by_id, access)
        _by_record[table.Record] = _by_prefix[prefix] = registered
        cls.table = table  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
        cls.access = access  # type: ignore[attr-defined]  # read by graph.core.permission
        cls.viewer_independent = viewer_independent  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
        cls.is_type_of = lambda obj, _info: isinstance(obj, table.Record)  # type: ignore[attr-defined]  # read by Strawberry
        return strawberry.type(cls, description=described(cls))

    return register


def with_ids(document: Any, **tables: type[Table]) -> Any:
    """A JSON object of ours as clients see it: what it holds under those names, the key of a row in
    that table, as the id of an entity."""
    keys = {name: key for name in tables if (key := _key(document.get(name))) is not None}
    return document | {name: id_of(tables[name].Record, key) for name, key in keys.items()}


def _key(text: Any) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def key_of(table: type[Table]) -> Check:
    """The check of an id that must be one of a table."""

    def wrong(text: str) -> str | None:
        try:
            parse_id(text, table)
        except Invalid as invalid:
            return invalid.message
        return None

    return validation.single("", wrong)


def parse_id(
    text: str, table: type[Table] | None = None, field: str = "id"
) -> tuple[NodeType, UUID]:
    """An id as clients send it. Raises Invalid if it is none, or one of another type."""
    prefix, _, digits = text.rpartition("_")
    found = _by_prefix.get(prefix)
    expected = _by_record[table.Record] if table else found
    if found is None or not re.fullmatch("[0-9a-f]{32}", digits):
        raise Invalid("This is not an id of this API.", field)
    if found is not expected:
        raise Invalid(f"This is the id of another type: {prefix}.", field)
    return found, UUID(digits)


async def load(info: Info, text: str, table: type[Table] | None = None) -> Any | None:
    """The entity with that id, or None if there is none that the principal may read."""
    found, id = parse_id(text, table)
    if not info.context.principal.may(found.access):
        return None
    return await found.loader.of(info).load(id)


async def _found(info: Info, text: str) -> Any | None:
    """The entity with that id, None, or the error of one position: an exception in a list is that
    to graphql-core."""
    try:
        return await load(info, text)
    except Invalid as error:
        return error


@strawberry.type
class Queries:
    @field("The entity with that id; null if there is none.", VALUE)
    async def node(self, info: Info, id: IdOf) -> Node | None:
        return await load(info, id)

    @field(
        "The entities with those ids, at most 100, in their order; null where there is none. A "
        "string that is not an id is null as well, with an error for its position.",
        VALUE,
    )
    async def nodes(self, info: Info, ids: Ids) -> list[Node | None]:
        return await asyncio.gather(*(_found(info, id) for id in ids))
