"""Cost: the points of an operation, an upper bound known before it is executed.

A field that shows a column is free. A field that loads something costs one point, unless it
declares a `cost`. A page costs its size times the cost of one row, and so does any other list,
whose size is the number of `ids` or `representations`, or else the default page size. The declared
cost of a list is its total cost. Inputs cost points by their values and declarations
(graph.core.types.input_values). Missing rows and skipped fields are not known in advance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from graphql.utilities import value_from_ast_untyped

from db.core.query.keyset import DEFAULT_SIZE, MAX_SIZE
from db.core.values import json
from graph.core.types.field import metadata_of
from graph.core.types.input_values import (
    NONE,
    PER_POINT,
    Inputs,
    RequestVariables,
    count_values,
    declares_cost,
    inputs_of,
)

ROWS_PER_USE = 5  # further rows take as long as one use: variables are coerced, SQL is made, once
MAX_KNOWN = 64  # measured costs that an operation keeps
SIZES = ("first", "last", "ids", "representations")
INTROSPECTION = {"__schema": 500, "__type": 20}

Variables = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class FieldCost:
    """A field with a cost: its own points, its inputs, and its subfields with a cost. `most`: the
    largest page."""

    own: int
    many: bool
    sizes: tuple[ValueNode, ...]
    fields: tuple["FieldCost", ...]
    inputs: Inputs = NONE
    most: int = MAX_SIZE

    def points(self, given: RequestVariables, page: int = DEFAULT_SIZE) -> int:
        """Points without inputs, for lists of `page` rows in its parent."""
        return given.memoized(("points", id(self), page), lambda: self._points(given, page))

    def input_points(self, given: RequestVariables) -> int:
        return given.memoized(("input_points", id(self)), lambda: self._input_points(given))

    def values(self, given: RequestVariables) -> int:
        return given.memoized(("values", id(self)), lambda: self._values(given))

    def repeated(self, given: RequestVariables, page: int = DEFAULT_SIZE) -> int:
        """Number of values, counted for each row that uses them."""
        return given.memoized(("repeated", id(self), page), lambda: self._repeated(given, page))

    def _points(self, given: RequestVariables, page: int) -> int:
        rows, page = self._rows(given, page)
        below = sum(field.points(given, page) for field in self.fields)
        return rows * (self.own + below)

    def _input_points(self, given: RequestVariables) -> int:
        return self.inputs.points(given) + sum(field.input_points(given) for field in self.fields)

    def _values(self, given: RequestVariables) -> int:
        return self.inputs.values(given) + sum(field.values(given) for field in self.fields)

    def _repeated(self, given: RequestVariables, page: int) -> int:
        rows, page = self._rows(given, page)
        below = sum(field.repeated(given, page) for field in self.fields)
        return self.inputs.values(given) + rows * below

    def _rows(self, given: RequestVariables, page: int) -> tuple[int, int]:
        asked = _requested_rows(self.sizes, given.values_by_name)
        otherwise = page if self.many else DEFAULT_SIZE
        size = otherwise if asked is None else max(0, min(asked, self.most))
        return (size, DEFAULT_SIZE) if self.many else (1, size)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of an operation as a function of its variables, at least one point. `defaults`: the
    default values of all variables, None without one. `most_values`: the largest number of values
    that one of its inputs declares, 0 without one. `weighed` are the variables with inputs that
    declare points."""

    fields: tuple[FieldCost, ...]
    defaults: Variables = field(default_factory=dict)
    most_values: int = 0
    weighed: frozenset[str] = frozenset()
    fixed: tuple[int, int] | None = None
    known: dict[tuple[object, ...], tuple[int, int]] = field(default_factory=dict, compare=False)

    def of(self, variables: Variables) -> int:
        return self.measured(variables)[0]

    def values(self, variables: Variables) -> int:
        return self.measured(variables)[1]

    def measured(self, variables: Variables) -> tuple[int, int]:
        if self.fixed is not None:
            return self.fixed
        values = {name: variables.get(name, value) for name, value in self.defaults.items()}
        shape = _shape(values, self.weighed)
        if shape is None:
            return self._measured(values)
        if shape not in self.known:
            if len(self.known) == MAX_KNOWN:
                self.known.clear()
            self.known[shape] = self._measured(values)
        return self.known[shape]

    def _measured(self, variables: Variables) -> tuple[int, int]:
        given = RequestVariables(variables)
        points = sum(field.points(given) + field.input_points(given) for field in self.fields)
        uses = sum(field.values(given) for field in self.fields)
        repeated = sum(field.repeated(given) for field in self.fields)
        values = uses + (repeated - uses) // ROWS_PER_USE
        return max(1, points + values // PER_POINT), values


def _shape(variables: Variables, weighed: frozenset[str]) -> tuple[object, ...] | None:
    """What a cost depends on: integers, which may be sizes, the numbers of values in lists and
    objects, and the types of other scalars. None if points depend on the fields of an object."""
    parts: list[object] = []
    for name, value in variables.items():
        if isinstance(value, list | dict):
            if name in weighed:
                return None
            parts.append((type(value), len(value), count_values(value)))
        else:
            parts.append(value if value is None or type(value) is int else type(value))
    return tuple(parts)


def compile_cost(
    schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode
) -> Cost:
    pricing = _Pricing(schema, document)
    fields = tuple(pricing.fields(node.selection_set, schema.get_root_type(node.operation)))
    cost = Cost(fields, _defaults(node), pricing.most, frozenset(pricing.weighed))
    return cost if pricing.varies else replace(cost, fixed=cost.measured({}))


def _defaults(node: OperationDefinitionNode) -> Variables:
    defined = {d.variable.name.value: d.default_value for d in node.variable_definitions or ()}
    return {name: value_from_ast_untyped(v) if v else None for name, v in defined.items()}


class _Pricing:
    """Finds the fields with a cost in a document, each fragment once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        nodes = document.definitions
        self.types = schema.type_map
        self.fragments = {n.name.value: n for n in nodes if isinstance(n, FragmentDefinitionNode)}
        self.known: dict[str, tuple[FieldCost, ...]] = {}
        self.varies = False
        self.most = 0
        self.weighed: set[str] = set()

    def fields(
        self, selection: SelectionSetNode, parent: GraphQLNamedType | None
    ) -> Iterator[FieldCost]:
        for node in selection.selections:
            if isinstance(node, FragmentSpreadNode):
                yield from self._fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.types[condition.name.value] if condition else parent
                yield from self.fields(node.selection_set, inner)
            elif isinstance(node, FieldNode):
                yield from self._field(node, parent)

    def _fragment(self, name: str) -> tuple[FieldCost, ...]:
        if name not in self.known:
            fragment = self.fragments[name]
            parent = self.types[fragment.type_condition.name.value]
            self.known[name] = tuple(self.fields(fragment.selection_set, parent))
        return self.known[name]

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Iterator[FieldCost]:
        name = node.name.value
        if name.startswith("__"):
            yield FieldCost(INTROSPECTION.get(name, 0), False, (), ())
            return
        assert isinstance(parent, GraphQLObjectType | GraphQLInterfaceType)  # noqa: S101  it is valid
        field, inner = parent.fields[name], get_named_type(parent.fields[name].type)
        below = tuple(self.fields(node.selection_set, inner)) if node.selection_set else ()
        declared, loads = declared_cost(field), is_composite_type(inner)
        many = loads and declared is None and is_list_type(get_nullable_type(field.type))
        own = int(loads) if declared is None else declared
        inputs = inputs_of(node, field)
        self.varies = self.varies or bool(inputs.uses)
        self.most = max(self.most, inputs.most)
        self.weighed.update(name for name, type_ in inputs.uses if declares_cost(type_))
        if own or below or node.arguments:
            yield FieldCost(own, many, _sizes(node), below, inputs, _most(field))


def _sizes(node: FieldNode) -> tuple[ValueNode, ...]:
    return tuple(each.value for each in node.arguments or () if each.name.value in SIZES)


def _most(field: GraphQLField) -> int:
    listing = metadata_of(field).get("listing")
    return MAX_SIZE if listing is None else listing.most


def declared_cost(field: GraphQLField) -> int | None:
    return metadata_of(field).get("cost")


def _requested_rows(sizes: tuple[ValueNode, ...], variables: dict[str, object]) -> int | None:
    given = [value_from_ast_untyped(size, variables) for size in sizes]
    asked = [_rows(value) for value in given if isinstance(value, json.Number | list | str)]
    return max(asked, default=None)


def _rows(value: json.Number | list[object] | str) -> int:
    if isinstance(value, json.Number):
        return int(value)
    return len(value) if isinstance(value, list) else 1  # one id may stand for a list of it
