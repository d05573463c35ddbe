"""Inputs: what each input reveals, and the access that using it needs for that.

Whoever filters or orders by a column learns its values bit by bit. So an input needs the access of
the field that shows its column, and a filter through a relation also that of the type it leads to.
A filter names its columns in its listing, an argument in the `reveals` of its field; what is not
declared is closed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from graphql import (
    EnumValueNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from graph.core.permission import CLOSED, VALUE, Access, access_of_field, access_of_type

# Arguments that choose among what their field shows to the same caller without them.
NEUTRAL = {"first", "after", "last", "before", "id", "ids", "bucket"}
COMBINING = {"and", "or", "not"}

Accesses = tuple[Access, ...]


class Need(NamedTuple):
    """What an input needs, and how it is called in messages."""

    access: Access
    place: str


class Use(NamedTuple):
    """A variable where an input of some type is expected."""

    variable: str
    type_: Any


@cache
def inputs_of(schema: GraphQLSchema) -> "Inputs":
    """The inputs of a schema."""
    return Inputs(schema)


class Inputs:
    """Every input of a schema, and the accesses it needs."""

    def __init__(self, schema: GraphQLSchema) -> None:
        objects = [t for t in schema.type_map.values() if isinstance(t, GraphQLObjectType)]
        self.shown_by = {_origin(t).table: t for t in objects if hasattr(_origin(t), "table")}
        self.known: dict[tuple[str, ...], Accesses] = {}

    def argument(self, parent: Any, name: str, field: GraphQLField, argument: str) -> Accesses:
        """What giving an argument of a field needs, whatever its value."""
        find = lambda: self._argument(field, argument)  # noqa: E731
        return self._remembered((parent.name, name, argument), find)

    def field(self, type_: GraphQLInputObjectType, name: str) -> Accesses:
        """What giving a field of an input needs, whatever its value."""
        return self._remembered((type_.name, name), lambda: self._field(type_, name))

    def choice(self, type_: GraphQLEnumType, value: str) -> Accesses:
        """What naming a value of an enumeration needs: a column to order by, or nothing."""
        return self._remembered((type_.name, value), lambda: self._choice(type_, value))

    def literal(self, node: ValueNode, type_: Any) -> Iterator[Need | Use]:
        """What a value in a document needs, and the variables in it."""
        named = get_named_type(type_)
        if isinstance(node, VariableNode):
            if _is_judged(named):
                yield Use(node.name.value, type_)
        elif isinstance(node, ListValueNode):
            for part in node.values:
                yield from self.literal(part, type_)
        elif isinstance(node, ObjectValueNode) and isinstance(named, GraphQLInputObjectType):
            for field in node.fields:
                if (name := field.name.value) in named.fields:
                    yield from _needs(self.field(named, name), f"{named.name}.{name}")
                    yield from self.literal(field.value, named.fields[name].type)
        elif isinstance(node, EnumValueNode) and isinstance(named, GraphQLEnumType):
            yield from _needs(self.choice(named, node.value), f"{named.name}.{node.value}")

    def value(self, given: Any, type_: Any) -> Iterator[Need]:
        """What a value of a variable needs, as the client sent it."""
        named = get_named_type(type_)
        if isinstance(given, list):
            for part in given:
                yield from self.value(part, type_)
        elif isinstance(given, dict) and isinstance(named, GraphQLInputObjectType):
            for name in given.keys() & named.fields.keys():
                yield from _needs(self.field(named, name), f"{named.name}.{name}")
                yield from self.value(given[name], named.fields[name].type)
        elif isinstance(given, str) and isinstance(named, GraphQLEnumType):
            yield from _needs(self.choice(named, given), f"{named.name}.{given}")

    # Finding

    def _remembered(self, key: tuple[str, ...], find: Callable[[], Accesses]) -> Accesses:
        if key not in self.known:
            self.known[key] = find()
        return self.known[key]

    def _argument(self, field: GraphQLField, argument: str) -> Accesses:
        declared = _metadata(field)
        listing, reveals = declared.get("listing"), declared.get("reveals", {})
        type_ = get_named_type(field.args[argument].type)
        if argument in reveals:
            return self._revealed(reveals[argument])
        if argument == "search" and listing is not None:
            return self._revealed(listing.searched)
        judged = isinstance(type_, GraphQLInputObjectType)  # by what is in it
        return () if argument in NEUTRAL or judged else (CLOSED,)

    def _field(self, type_: GraphQLInputObjectType, name: str) -> Accesses:
        origin = _origin(type_)
        listing = getattr(origin, "filters", None)
        if listing is None:
            is_value = access_of_type(type_) == VALUE or hasattr(origin, "orders")
            return () if is_value else (CLOSED,)
        column = type_.fields[name].extensions["strawberry-definition"].python_name.rstrip("_")
        if column in listing.filters:
            return self._column(listing.filters[column])
        if column in listing.relations:
            return self._relation(listing, name)
        return () if column in COMBINING else (CLOSED,)

    def _choice(self, type_: GraphQLEnumType, value: str) -> Accesses:
        listing = _ordered(type_)
        return () if listing is None else self._column(listing.orders[value])

    def _relation(self, listing: Any, name: str) -> Accesses:
        """What the field of a relation needs, and the type that it leads to."""
        parent: Any = self.shown_by[listing.table]
        if (field := parent.fields.get(name)) is None:
            return (CLOSED,)
        return _together(access_of_field(parent, field) or CLOSED, _access_of_target(field))

    def _revealed(self, what: Any) -> Accesses:
        """What is needed for an access, for a column, or for several of them."""
        if isinstance(what, Access):
            return _together(what)
        columns: Sequence[Any] = what if isinstance(what, tuple) else (what,)
        found = {access: None for column in columns for access in self._column(column)}
        return tuple(found) if columns else (CLOSED,)

    def _column(self, column: Any) -> Accesses:
        """What the field needs that shows a column."""
        type_: Any = self.shown_by.get(column.class_)
        for field in type_.fields.values() if type_ else ():
            if columns_of(field) == (column.name,):
                access = access_of_field(type_, field) or CLOSED
                others = _metadata(field).get("others", VALUE)
                return _together(access, _access_of_target(field), others)
        return (CLOSED,)


def columns_of(field: GraphQLField) -> tuple[str, ...]:
    """The columns that a field shows, by their names in the table."""
    definition = field.extensions["strawberry-definition"]
    declared: tuple[str, ...] | None = definition.metadata.get("columns")
    if declared is None:
        return () if definition.base_resolver else (definition.python_name,)
    return declared


def _access_of_target(field: GraphQLField) -> Access:
    """The access of the type that a field leads to, itself or as a list; of a value it is open."""
    target: Any = get_named_type(field.type)
    if not isinstance(target, GraphQLObjectType):
        return VALUE
    if "nodes" in target.fields:
        target = get_named_type(target.fields["nodes"].type)
    return access_of_type(target) or CLOSED


def _is_judged(type_: Any) -> bool:
    """Whether what a value of that type needs depends on the value."""
    if isinstance(type_, GraphQLInputObjectType):
        return access_of_type(type_) != VALUE
    return isinstance(type_, GraphQLEnumType) and _ordered(type_) is not None


def _ordered(type_: GraphQLEnumType) -> Any:
    """The listing whose orders an enumeration names, or None."""
    return getattr(type_.extensions["strawberry-definition"].wrapped_cls, "listing", None)


def _needs(accesses: Accesses, place: str) -> Iterator[Need]:
    return (Need(access, place) for access in accesses)


def _together(*accesses: Access) -> Accesses:
    """All of them, without those that everybody has."""
    return tuple(dict.fromkeys(access for access in accesses if not access.public))


def _origin(type_: Any) -> Any:
    return getattr(type_.extensions.get("strawberry-definition"), "origin", None)


def _metadata(field: GraphQLField) -> Mapping[str, Any]:
    return getattr(field.extensions.get("strawberry-definition"), "metadata", {})
