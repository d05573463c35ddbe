"""Cost: what an operation asks for, in points, known before anything of it is executed.

A field that shows a column is free and one that loads something costs a point, unless it declares
a `cost`. A page costs its size times what one row costs; so does every other list, where the size
is the number of `ids` or else that of a page by default. What is declared for a list is its whole
cost. The estimate is the most it can be: nothing is known of rows that are missing or fields that
are skipped.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from graphql.utilities import value_from_ast_untyped

from db.core.page import DEFAULT_SIZE, MAX_SIZE

SIZES = ("first", "last", "ids")
INTROSPECTION = {"__schema": 500, "__type": 20}

Variables = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Priced:
    """A field that costs something: its own points, and what costs something below it."""

    own: int
    many: bool
    sizes: tuple[ValueNode, ...]
    fields: tuple["Priced", ...]

    def points(self, variables: Variables, page: int = DEFAULT_SIZE) -> int:
        """Its points where the lists of its parent have that many rows."""
        size = _size(self.sizes, variables, page if self.many else DEFAULT_SIZE)
        rows, page = (size, DEFAULT_SIZE) if self.many else (1, size)
        return rows * (self.own + sum(field.points(variables, page) for field in self.fields))


@dataclass(frozen=True, slots=True)
class Cost:
    """What an operation costs: a function of its variables, at least one point."""

    fields: tuple[Priced, ...]
    fixed: int | None = None

    def of(self, variables: Variables) -> int:
        """The points of the operation with these variables, which must fit it."""
        if self.fixed is not None:
            return self.fixed
        return max(1, sum(field.points(variables) for field in self.fields))


def compiled(schema: GraphQLSchema, document: DocumentNode, node: OperationDefinitionNode) -> Cost:
    """The cost of an operation of a valid document."""
    pricing = _Pricing(schema, document)
    fields = tuple(pricing.fields(node.selection_set, schema.get_root_type(node.operation)))
    cost = Cost(fields)
    return cost if pricing.varies else Cost(fields, fixed=cost.of({}))


class _Pricing:
    """Finds what costs something in the operations of a document, each fragment once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        nodes = document.definitions
        self.types = schema.type_map
        self.fragments = {n.name.value: n for n in nodes if isinstance(n, FragmentDefinitionNode)}
        self.known: dict[str, tuple[Priced, ...]] = {}
        self.varies = False

    def fields(self, selection: SelectionSetNode, parent: Any) -> Iterator[Priced]:
        for node in selection.selections:
            if isinstance(node, FragmentSpreadNode):
                yield from self._fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = self.types[condition.name.value] if condition else parent
                yield from self.fields(node.selection_set, inner)
            elif isinstance(node, FieldNode):
                yield from self._field(node, parent)

    def _fragment(self, name: str) -> tuple[Priced, ...]:
        if name not in self.known:
            fragment = self.fragments[name]
            parent = self.types[fragment.type_condition.name.value]
            self.known[name] = tuple(self.fields(fragment.selection_set, parent))
        return self.known[name]

    def _field(self, node: FieldNode, parent: Any) -> Iterator[Priced]:
        name = node.name.value
        if name.startswith("__"):
            yield Priced(INTROSPECTION.get(name, 0), False, (), ())
            return
        field, inner = parent.fields[name], get_named_type(parent.fields[name].type)
        below = tuple(self.fields(node.selection_set, inner)) if node.selection_set else ()
        declared, loads = declared_cost(field), is_composite_type(inner)
        many = loads and declared is None and is_list_type(get_nullable_type(field.type))
        own = int(loads) if declared is None else declared
        if own or below:
            yield Priced(own, many, self._sizes(node), below)

    def _sizes(self, node: FieldNode) -> tuple[ValueNode, ...]:
        named = [argument for argument in node.arguments or () if argument.name.value in SIZES]
        values = tuple(argument.value for argument in named)
        self.varies = self.varies or any(isinstance(value, VariableNode) for value in values)
        return values


def declared_cost(field: GraphQLField) -> int | None:
    """What a field declares as its cost in points, if it does."""
    definition = field.extensions.get("strawberry-definition")
    cost: int | None = getattr(definition, "metadata", {}).get("cost")
    return cost


def _size(sizes: tuple[ValueNode, ...], variables: Variables, otherwise: int) -> int:
    """How many rows arguments ask for, never more than a page may have."""
    given = [value_from_ast_untyped(size, {**variables}) for size in sizes]
    asked = [_rows(value) for value in given if isinstance(value, int | list | str)]
    return max(0, min(max(asked, default=otherwise), MAX_SIZE))


def _rows(value: int | list[Any] | str) -> int:
    if isinstance(value, int):
        return value
    return len(value) if isinstance(value, list) else 1  # one id may stand for a list of it
