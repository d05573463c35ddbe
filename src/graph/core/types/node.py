"""Nodes: entities with a global ID, printed as `<type>_<32 hex digits>`."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, TypeVar, dataclass_transform
from uuid import UUID

import strawberry

from db.core.errors import Invalid
from db.core.query.keyset import MAX_SIZE
from db.core.table import JsonObject, Table
from db.core.values import validation
from db.core.values.validation import Check
from graph.core.context import Info, as_source
from graph.core.loader import Loader, by_id
from graph.core.permission import VALUE, Access
from graph.core.types.declared import AnyLoader, IdField, NodeField
from graph.core.types.field import argument, described, field

T = TypeVar("T", bound=type)

_DIGITS = re.compile("[0-9a-f]{32}")
ID = replace(validation.string(100, 0), said="")  # those of this API have fewer characters

IdOf = Annotated[strawberry.ID, argument("ID of the entity.", ID)]
Ids = Annotated[
    list[strawberry.ID],
    argument("IDs of the entities.", validation.items(MAX_SIZE)),
]


Load = Callable[[Info, UUID], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class NodeType:
    """A registered node type: the prefix of its IDs, its access, and how one is loaded."""

    prefix: str
    access: Access
    load: Load


_by_record: dict[type, NodeType] = {}  # of the types of sources
_by_prefix: dict[str, NodeType] = {}


def node_type(table: type[Table]) -> NodeType:
    return _by_record[table.Record]


def global_id(root: Table) -> str:
    return id_of(type(root), root.id)


def id_of(record: type, id: UUID) -> str:
    return f"{_by_record[record].prefix}_{id.hex}"


@strawberry.interface(description="An entity with a globally unique ID.")
class Node:
    """An entity with a globally unique ID."""

    access = VALUE
    viewer_independent = True
    id: strawberry.ID = field(
        "Opaque, globally unique ID, for `node(id:)` and for caches.",
        resolver=global_id,
        columns=("id",),
        shows=IdField(),
    )


def node(
    table: type[Table],
    access: Access,
    viewer_independent: bool = False,
    cacheable: bool = False,
    name: str | None = None,
) -> Callable[[T], T]:
    """Register a type as the node of a table: its IDs, its access, and its loader by ID. `name`:
    that of the type in the schema, if the name of the class is a global name of JavaScript.
    `viewer_independent`: all viewers with access see the same fields, so subscribers can share
    updates. `cacheable`: all viewers see the same rows with the same scalars, so caches may keep
    them."""

    def register(cls: T) -> T:
        _register(cls, table.Record, access, _by_key(by_id(table)))
        cls.table = table  # type: ignore[attr-defined]  # read by graph.core.execution.input_access
        cls.access = access  # type: ignore[attr-defined]  # read by graph.core.permission
        cls.cacheable = cacheable  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
        cls.viewer_independent = viewer_independent  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
        cls.is_type_of = lambda obj, _info: isinstance(obj, table.Record)  # type: ignore[attr-defined]  # read by Strawberry
        return strawberry.type(cls, name=name, description=described(cls))

    return register


@dataclass_transform(kw_only_default=True, field_specifiers=(field,))
def node_without_row(access: Access, load: Load) -> Callable[[T], T]:
    """Register a type as a node that is not a row of a table, and its own source. `load`: find the
    one with a key."""

    def register(cls: T) -> T:
        _register(cls, cls, access, load)
        cls.access = access  # type: ignore[attr-defined]  # read by graph.core.permission
        cls.viewer_independent = False  # type: ignore[attr-defined]  # read by graph.core.execution.shareable
        return strawberry.type(cls, description=described(cls))

    return register


def _register(cls: type, source: type, access: Access, load: Load) -> None:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
    _by_record[source] = _by_prefix[prefix] = NodeType(prefix, access, load)


def _by_key(loader: type[Loader[Table | None]]) -> Load:
    async def load(info: Info, id: UUID) -> object:
        return await loader.of(info).load(id)

    return load


def is_node(table: type[Table]) -> bool:
    return table.Record in _by_record


def with_ids(document: JsonObject, **tables: type[Table]) -> JsonObject:
    """Replace the keys of rows in a JSON object by global IDs. `tables` are by name in the
    object."""
    keys = {name: key for name in tables if (key := _key(document.get(name))) is not None}
    return document | {name: id_of(tables[name].Record, key) for name, key in keys.items()}


def without_ids(document: JsonObject, tables: Mapping[str, type[Table]]) -> JsonObject:
    """The reverse of `with_ids`; other texts stay as they are."""
    return document | {
        name: _without_prefix(document[name], table)
        for name, table in tables.items()
        if name in document
    }


def _without_prefix(value: object, table: type[Table]) -> object:
    try:
        return str(parse_id(value, table)[1]) if isinstance(value, str) else value
    except Invalid:
        return value


def _key(text: object) -> UUID | None:
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def key_of(table: type[Table] | None) -> Check:
    """Accept global IDs of a table, or of any."""

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
    """Parse a global ID. Raises Invalid if it is malformed or of another type."""
    prefix, _, digits = text.rpartition("_")
    found = _by_prefix.get(prefix)
    expected = _by_record[table.Record] if table else found
    if found is None or not _DIGITS.fullmatch(digits):
        raise Invalid("This is not an ID of this API.", field)
    if found is not expected:
        raise Invalid(f"This is the ID of another type: {prefix}.", field)
    return found, UUID(int=int(digits, 16))


async def load(info: Info, text: str, table: type[Table] | None = None) -> Any:  # as `as_source`
    """The entity with this ID, or None if the caller sees none."""
    found, id = parse_id(text, table)
    if not info.context.principal.may(found.access):
        return None
    return as_source(await found.load(info, id))


def identified(table: type[Table], description: str, access: Access) -> Any:  # as `field`
    """Declare a root field that shows the row of a table with the ID in its argument."""

    async def resolve(info: Info, id: IdOf) -> Table | None:
        return await load(info, id, table)

    return field(description, access, resolve, shows=NodeField(table))


MaybeId = Annotated[strawberry.ID | None, argument("ID of the entity.", ID)]


async def load_by(
    info: Info, table: type[Table], id: str | None, loader: type[AnyLoader], **key: str | None
) -> Table | None:
    """The entity with this ID, or with this key of a loader. Raises Invalid unless exactly one of
    them is given as a whole."""
    given = [value for value in key.values() if value is not None]
    if id is not None and not given:
        found: Table | None = await load(info, id, table)
    elif id is None and len(given) == len(key):
        found = await loader.of(info).load(given[0] if len(given) == 1 else tuple(given))
    else:
        raise Invalid(f"Give either `id`, or {' and '.join(f'`{name}`' for name in key)}.")
    return found


async def _found(info: Info, text: str) -> Table | Invalid | None:
    """The entity with this ID, None, or the error for one position: graphql-core reports an
    exception in a list as the error of its position."""
    try:
        found: Table | None = await load(info, text)
        return found
    except Invalid as error:
        return error


@strawberry.type
class Queries:
    @field("The entity with this ID, or null if it does not exist.", VALUE)
    async def node(self, info: Info, id: IdOf) -> Node | None:
        return await load(info, id)

    @field(
        "The entities with these IDs, at most 100, in the same order. Null for each ID that does "
        "not exist. A malformed ID is null as well, with an error for its position.",
        VALUE,
    )
    async def nodes(self, info: Info, ids: Ids) -> list[Node | None]:
        return as_source(await asyncio.gather(*(_found(info, id) for id in ids)))
