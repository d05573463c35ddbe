"""Input values: the number of values in the inputs of an operation, and their cost in points.

Coercing a value, building the SQL of a condition and planning it take microseconds each, for every
field that uses it. So values are counted for each use, before any is coerced: literals once for
each document, variables for each request. Input fields declare a `cost` if PostgreSQL has more work
for them, and `values` if they hold a batch.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from graphql import (
    FieldNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLNamedType,
    ListValueNode,
    ObjectValueNode,
    ValueNode,
    VariableNode,
    get_named_type,
)

from graph.core.types.field import metadata_of

PER_POINT = 20  # values
BATCH = 20_000  # values of a batch

Variables = Mapping[str, object]


class RequestVariables:
    """The variables of one request. Each variable, and each part of the operation, which fragments
    may repeat, is counted only once."""

    def __init__(self, variables: Variables) -> None:
        self.values_by_name = dict(variables)
        self._memo: dict[tuple[Hashable, ...], int] = {}

    def values(self, name: str) -> int:
        return self.memoized(("values", name), lambda: count_values(self.values_by_name.get(name)))

    def points(self, name: str, type_: GraphQLInputType) -> int:
        key = "points", name, get_named_type(type_)
        return self.memoized(key, lambda: _declared_points(self.values_by_name.get(name), type_))

    def memoized(self, key: tuple[Hashable, ...], find: Callable[[], int]) -> int:
        if key not in self._memo:
            self._memo[key] = find()
        return self._memo[key]


@dataclass(frozen=True, slots=True)
class Inputs:
    """The arguments of one field: the number of values in the document, the points declared for
    them, and the variables with their types. `most` is the declared maximum number of values, 0
    without one."""

    literals: int = 0
    declared: int = 0
    uses: tuple[tuple[str, GraphQLInputType], ...] = ()
    most: int = 0

    def values(self, variables: RequestVariables) -> int:
        return self.literals + sum(variables.values(name) for name, _ in self.uses)

    def points(self, variables: RequestVariables) -> int:
        return self.declared + sum(variables.points(name, type_) for name, type_ in self.uses)


NONE = Inputs()


def count_values(value: object) -> int:
    total, waiting = 1, [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, list | dict):
            inner = part.values() if isinstance(part, dict) else part
            total += len(inner)
            waiting += (each for each in inner if isinstance(each, list | dict))
    return total


Item = GraphQLArgument | GraphQLInputField
Part = tuple[ValueNode, Item]


def inputs_of(node: FieldNode, field: GraphQLField) -> Inputs:
    given = [(argument.value, field.args[argument.name.value]) for argument in node.arguments or ()]
    parts = [part for value, item in given for part in _parts(value, item)]
    if not parts:
        return NONE
    uses = [(part.name.value, item.type) for part, item in parts if isinstance(part, VariableNode)]
    points = sum(metadata_of(item).get("cost", 0) for _, item in parts)
    most = max(_declared_most(item) for _, item in given)
    return Inputs(len(parts) - len(uses), points, tuple(uses), most)


def _parts(node: ValueNode, item: Item) -> Iterator[Part]:
    yield node, item
    named = get_named_type(item.type)
    if isinstance(node, ListValueNode):
        for value in node.values:
            yield from _parts(value, item)
    elif isinstance(node, ObjectValueNode):
        for field in node.fields:
            inner = (
                named.fields[field.name.value]
                if isinstance(named, GraphQLInputObjectType)
                else item
            )
            yield from _parts(field.value, inner)


def _declared_points(value: object, type_: GraphQLInputType) -> int:
    named = get_named_type(type_)
    if not isinstance(named, GraphQLInputObjectType) or not _declares_cost(named):
        return 0
    if isinstance(value, list):
        return sum(_declared_points(part, named) for part in value)
    if not isinstance(value, dict):
        return 0
    fields = [(named.fields[name], part) for name, part in value.items() if name in named.fields]
    return sum(
        metadata_of(field).get("cost", 0) + _declared_points(part, field.type)
        for field, part in fields
    )


def declares_cost(type_: GraphQLInputType) -> bool:
    """True if an input of the type may cost more than its values do."""
    return _declares_cost(get_named_type(type_))


@cache
def _declares_cost(type_: GraphQLNamedType) -> bool:
    found, waiting = {type_}, [type_]
    while waiting:
        for field in getattr(waiting.pop(), "fields", {}).values():
            if metadata_of(field).get("cost"):
                return True
            if (named := get_named_type(field.type)) not in found:
                found.add(named)
                waiting.append(named)
    return False


def _declared_most(item: Item) -> int:
    fields = getattr(get_named_type(item.type), "fields", {}).values()
    return max(metadata_of(each).get("values", 0) for each in (item, *fields))
