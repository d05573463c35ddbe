"""Lazy types: replaces forward references by their types.

Strawberry resolves a forward reference again for each value, and compares files on disk to do so.
"""

from collections.abc import Iterator

from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
)
from strawberry.types.base import StrawberryContainer
from strawberry.types.lazy_type import LazyType


def install(schema: GraphQLSchema) -> None:
    for item in _inputs(schema):
        _resolve_inner(item.extensions["strawberry-definition"].type)


def _inputs(schema: GraphQLSchema) -> Iterator[GraphQLArgument | GraphQLInputField]:
    for type_ in schema.type_map.values():
        if isinstance(type_, GraphQLInputObjectType):
            yield from type_.fields.values()
        elif isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            yield from (each for field in type_.fields.values() for each in field.args.values())


def _resolve_inner(type_: object) -> None:
    while isinstance(type_, StrawberryContainer):
        inner: object = type_.of_type
        if isinstance(inner, LazyType):
            type_.of_type = inner = inner.resolve_type()
        type_ = inner
