"""Federation: the fields by which a federated gateway joins this API with others.

Every node is an entity with the key `id`. Source: Apollo Federation, subgraph specification.
"""

import asyncio
from collections.abc import Container, Mapping
from functools import cache
from typing import Annotated, Union

import strawberry
from graphql import (
    ConstDirectiveNode,
    DefinitionNode,
    DocumentNode,
    ObjectTypeDefinitionNode,
    parse,
    print_ast,
)
from strawberry import Schema

from db.core.errors import Invalid
from db.core.query.keyset import MAX_SIZE
from db.core.table import Table
from db.core.values import validation
from graph.core.context import Info
from graph.core.permission import INTROSPECTION, VALUE
from graph.core.types.field import argument, field
from graph.core.types.node import Node, load
from graph.core.types.scalars import Representation

LINK = """extend schema @link(
  url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"]
)"""
SHARED = {"PageInfo"}  # every API with pages has it
MALFORMED = "A representation has the `__typename` of an entity, and its `id`."

Representations = Annotated[
    list[Representation],
    argument(
        "References to entities, each with `__typename` and `id`.", validation.items(MAX_SIZE)
    ),
]


@strawberry.type(name="_Service", description="This API as a part of a federated one.")
class Service:
    access = VALUE
    viewer_independent = True
    sdl: str = field("The schema, with the directives of Apollo Federation 2.")


def queries_of(schema: Schema) -> type:
    """The root fields for the nodes of a schema."""
    nodes = _nodes(schema)
    described = strawberry.union("_Entity", description="An entity of a federated API.")
    entity = Annotated[Union[tuple(nodes.values())], described]  # type: ignore[valid-type]  # noqa: UP007  # of a list of types
    tables = {name: _table(node) for name, node in nodes.items()}

    async def service() -> Service:
        return Service(sdl=sdl(schema))

    async def entities(info: Info, representations: Representations) -> list[object]:
        found = (_entity(info, tables, each) for each in representations)
        return list(await asyncio.gather(*found))

    @strawberry.type
    class Queries:
        service_: Service = field(
            "The schema, for the composition of a federated one.",
            INTROSPECTION,
            service,
            cost=100,
            name="_service",
        )
        entities_: list[object] = field(
            "The entities of these references, in the same order. Null for each that does not "
            "exist.",
            VALUE,
            entities,
            name="_entities",
            reveals={"representations": VALUE},
            graphql_type=list[entity | None],  # type: ignore[valid-type]  # made of a list of types
        )

    return Queries


@cache
def sdl(schema: Schema) -> str:
    document = parse(schema.as_str())
    names = _nodes(schema).keys()
    definitions = [_directed(each, names) for each in document.definitions]
    return print_ast(DocumentNode(definitions=(*parse(LINK).definitions, *definitions)))


async def _entity(
    info: Info, tables: Mapping[str, type[Table]], representation: object
) -> Table | Invalid | None:
    """An entity, None, or the error for one position."""
    given = representation if isinstance(representation, dict) else {}
    name, id = given.get("__typename"), given.get("id")
    table = tables.get(name) if isinstance(name, str) else None
    if table is None or not isinstance(id, str):
        return Invalid(MALFORMED, "representations")
    try:
        found: Table | None = await load(info, id, table)
        return found
    except Invalid as error:
        return error


def _nodes(schema: Schema) -> dict[str, type[Node]]:
    """The classes of all nodes with rows, by the names of their types."""
    types = schema._schema.type_map.values()
    definitions = [each.extensions.get("strawberry-definition") for each in types]
    found = {each.name: each.origin for each in definitions if each and hasattr(each, "origin")}
    return {
        name: cls for name, cls in found.items() if issubclass(cls, Node) and hasattr(cls, "table")
    }


def _table(node: type[Node]) -> type[Table]:
    return node.table  # type: ignore[attr-defined]  # set by `graph.core.types.node`


def _directed(definition: DefinitionNode, entities: Container[str]) -> DefinitionNode:
    """A definition with the directives of federation."""
    if not isinstance(definition, ObjectTypeDefinitionNode):
        return definition
    name, added = definition.name.value, ""
    if name in entities:
        added = '@key(fields: "id")'
    elif name in SHARED:
        added = "@shareable"
    return ObjectTypeDefinitionNode(
        name=definition.name,
        description=definition.description,
        interfaces=definition.interfaces,
        directives=(*(definition.directives or ()), *_directives(added)),
        fields=definition.fields,
    )


@cache
def _directives(text: str) -> tuple[ConstDirectiveNode, ...]:
    (definition,) = parse(f"type Entity {text} {{ id: ID }}").definitions
    return getattr(definition, "directives", None) or ()
