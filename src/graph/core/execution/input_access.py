"""Input access: the columns that each input reveals, and the access it requires.

Filtering or sorting by a column reveals its values bit by bit. So an input requires the access of
the field that shows the column, and a filter through a relation also that of the related type. The
columns of a filter are declared by its listing, those of an argument by `reveals` of its field. An
input without a declaration is closed. An input of a mutation has the access of the mutation, except
for fields that declare their own because the result reveals whether another user has the value.
"""

from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from graphql import (
    EnumValueNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from db.core.query.batch import Column
from db.core.query.listing import ListSpec
from graph.core.permission import CLOSED, VALUE, Access, access_of_field, access_of_type
from graph.core.types.field import Revealed, metadata_of

# Arguments that select among rows that their field shows to the same caller without them.
NEUTRAL = {"first", "after", "last", "before", "skip", "id", "ids", "bucket"}
COMBINING = {"and", "or", "not"}

Accesses = tuple[Access, ...]


class Requirement(NamedTuple):
    """An access, and the input that requires it as named in messages."""

    access: Access
    place: str


class VariableUse(NamedTuple):
    """A variable used as an input of a type."""

    variable: str
    type_: GraphQLInputType


@cache
def input_access(schema: GraphQLSchema) -> "InputAccess":
    return InputAccess(schema)


class InputAccess:
    """The accesses that inputs of a schema require, with any value unless one is given."""

    def __init__(self, schema: GraphQLSchema) -> None:
        objects = [t for t in schema.type_map.values() if isinstance(t, GraphQLObjectType)]
        self.shown_by = {
            table: t for t in objects if (table := getattr(_origin(t), "table", None)) is not None
        }
        self.known: dict[tuple[str, ...], Accesses] = {}
        self.reachable_by_type: dict[str, frozenset[Access]] = {}

    def argument(
        self, parent: GraphQLNamedType, name: str, field: GraphQLField, argument: str
    ) -> Accesses:
        key = (parent.name, name, argument)
        return self._remembered(key, lambda: self._argument(field, argument))

    def field(self, type_: GraphQLInputObjectType, name: str) -> Accesses:
        return self._remembered((type_.name, name), lambda: self._field(type_, name))

    def choice(self, type_: GraphQLEnumType, value: str) -> Accesses:
        return self._remembered((type_.name, value), lambda: self._choice(type_, value))

    def literal(
        self, node: ValueNode, type_: GraphQLInputType
    ) -> Iterator[Requirement | VariableUse]:
        named = get_named_type(type_)
        if isinstance(node, VariableNode):
            if _depends_on_value(named):
                yield VariableUse(node.name.value, type_)
        elif isinstance(node, ListValueNode):
            for part in node.values:
                yield from self.literal(part, type_)
        elif isinstance(node, ObjectValueNode) and isinstance(named, GraphQLInputObjectType):
            for field in node.fields:
                if (name := field.name.value) in named.fields:
                    yield from _requirements(self.field(named, name), f"{named.name}.{name}")
                    yield from self.literal(field.value, named.fields[name].type)
        elif isinstance(node, EnumValueNode) and isinstance(named, GraphQLEnumType):
            yield from _requirements(self.choice(named, node.value), f"{named.name}.{node.value}")

    def value(self, given: object, type_: GraphQLInputType) -> Iterator[Requirement]:
        named = get_named_type(type_)
        if isinstance(given, list):
            for part in given:
                yield from self.value(part, type_)
        elif isinstance(given, dict) and isinstance(named, GraphQLInputObjectType):
            for name in filter(named.fields.__contains__, given):
                yield from _requirements(self.field(named, name), f"{named.name}.{name}")
                yield from self.value(given[name], named.fields[name].type)
        elif isinstance(given, str) and isinstance(named, GraphQLEnumType):
            yield from _requirements(self.choice(named, given), f"{named.name}.{given}")

    def possible_accesses(self, type_: GraphQLInputType) -> frozenset[Access]:
        named = get_named_type(type_)
        if named.name not in self.reachable_by_type:
            self.reachable_by_type[named.name] = frozenset(self._reachable(named, set()))
        return self.reachable_by_type[named.name]

    def _reachable(self, type_: GraphQLNamedType, seen: set[str]) -> Iterator[Access]:
        if type_.name in seen:
            return
        seen.add(type_.name)
        if isinstance(type_, GraphQLInputObjectType):
            for name, field in type_.fields.items():
                yield from self.field(type_, name)
                yield from self._reachable(get_named_type(field.type), seen)
        elif isinstance(type_, GraphQLEnumType):
            for value in type_.values:
                yield from self.choice(type_, value)

    # Finding

    def _remembered(self, key: tuple[str, ...], find: Callable[[], Accesses]) -> Accesses:
        if key not in self.known:
            self.known[key] = find()
        return self.known[key]

    def _argument(self, field: GraphQLField, argument: str) -> Accesses:
        declared = metadata_of(field)
        listing, reveals = declared.get("listing"), declared.get("reveals") or {}
        type_ = get_named_type(field.args[argument].type)
        if argument in reveals:
            return self._revealed(reveals[argument])
        if argument == "search" and listing is not None:
            return self._revealed(listing.searched)
        is_input = isinstance(type_, GraphQLInputObjectType)  # by its fields
        return () if argument in NEUTRAL or is_input else (CLOSED,)

    def _field(self, type_: GraphQLInputObjectType, name: str) -> Accesses:
        origin = _origin(type_)
        listing = getattr(origin, "filters", None)
        if listing is None:
            is_value = access_of_type(type_) == VALUE or hasattr(origin, "orders")
            return _without_public(_declared_access(type_, name)) if is_value else (CLOSED,)
        column = type_.fields[name].extensions["strawberry-definition"].python_name.rstrip("_")
        if column in listing.filters:
            return self._column(listing.filters[column])
        if column in listing.relations:
            return self._relation(listing, name)
        return () if column in COMBINING else (CLOSED,)

    def _choice(self, type_: GraphQLEnumType, value: str) -> Accesses:
        listing = _sorted_listing(type_)
        return () if listing is None else self._column(listing.orders[value])

    def _relation(self, listing: ListSpec, name: str) -> Accesses:
        parent = self.shown_by[listing.table]
        if (field := parent.fields.get(name)) is None:
            return (CLOSED,)
        return _without_public(access_of_field(parent, field) or CLOSED, _access_of_target(field))

    def _revealed(self, declared: Revealed) -> Accesses:
        if isinstance(declared, Access):
            return _without_public(declared)
        columns = declared if isinstance(declared, tuple) else (declared,)
        found = {access: None for column in columns for access in self._column(column)}
        return tuple(found) if columns else (CLOSED,)

    def _column(self, column: Column) -> Accesses:
        if (type_ := self.shown_by.get(column.class_)) is None:
            return (CLOSED,)
        for field in type_.fields.values():
            if columns_of(field) == (column.name,):
                access = access_of_field(type_, field) or CLOSED
                others = metadata_of(field).get("others", VALUE)
                return _without_public(access, _access_of_target(field), others)
        return (CLOSED,)


def columns_of(field: GraphQLField) -> tuple[str, ...]:
    if (declared := metadata_of(field).get("columns")) is not None:
        return declared
    definition = field.extensions["strawberry-definition"]
    return () if definition.base_resolver else (definition.python_name,)


def _access_of_target(field: GraphQLField) -> Access:
    target: GraphQLNamedType = get_named_type(field.type)
    if not isinstance(target, GraphQLObjectType):
        return VALUE
    if "nodes" in target.fields:
        target = get_named_type(target.fields["nodes"].type)
    return access_of_type(target) or CLOSED


def _depends_on_value(type_: GraphQLNamedType) -> bool:
    if isinstance(type_, GraphQLInputObjectType):
        declared = (_declared_access(type_, name) for name in type_.fields)
        return access_of_type(type_) != VALUE or not all(access.public for access in declared)
    return isinstance(type_, GraphQLEnumType) and _sorted_listing(type_) is not None


def _declared_access(type_: GraphQLInputObjectType, name: str) -> Access:
    return metadata_of(type_.fields[name]).get("access", VALUE)


def _sorted_listing(type_: GraphQLEnumType) -> ListSpec | None:
    return getattr(type_.extensions["strawberry-definition"].wrapped_cls, "listing", None)


def _requirements(accesses: Accesses, place: str) -> Iterator[Requirement]:
    return (Requirement(access, place) for access in accesses)


def _without_public(*accesses: Access) -> Accesses:
    return tuple(dict.fromkeys(access for access in accesses if not access.public))


def _origin(type_: GraphQLNamedType) -> type | None:
    return getattr(type_.extensions.get("strawberry-definition"), "origin", None)
