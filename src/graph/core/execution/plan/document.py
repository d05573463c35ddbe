"""Document: the selections of an operation, with its fragments and directives applied."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    NonNullTypeNode,
    VariableDefinitionNode,
    VariableNode,
    Visitor,
    get_named_type,
    visit,
)
from graphql.execution.collect_fields import (
    FieldDetails,
    FragmentDetails,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.language import FragmentDefinitionNode
from strawberry.types.field import StrawberryField

from graph.core.execution.plan.completion import FieldPlace
from graph.core.execution.plan.run import Unplanned
from graph.core.types.declared import Declared

if TYPE_CHECKING:
    from graph.core.execution.operation import Operation

Details = list[FieldDetails]  # of one response name: the places in the document that select it
TYPE_NAME = "__typename"
MAX_NAME = 100  # characters of a response name


class Document:
    """`variables` decide the directives, and nothing else."""

    def __init__(self, operation: "Operation", variables: VariableValues) -> None:
        self.document = operation.document
        self.node = operation.node
        self.schema = operation.schema._schema
        self.variables = variables
        self.fragments = {
            node.name.value: FragmentDetails(node)
            for node in operation.document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def uses_of_variable(self, name: str) -> int:
        search = _VariableUses(name)
        visit(self.document, search)
        return search.count

    def is_required(self, name: str) -> bool:
        """True if a variable is never null."""
        definitions = self.node.variable_definitions or ()
        (found,) = [each for each in definitions if each.variable.name.value == name]
        return isinstance(found.type, NonNullTypeNode)

    @property
    def root_type(self) -> GraphQLObjectType:
        return object_type(self.schema.get_root_type(self.node.operation))

    def roots(self) -> Mapping[str, Details]:
        """Raises Unplanned."""
        return _short(
            collect_fields(
                self.schema, self.fragments, self.variables, self.root_type, self.node
            ).grouped_field_set
        )

    def subfields(self, type_: GraphQLObjectType, details: Details) -> Mapping[str, Details]:
        """Raises Unplanned."""
        return _short(
            collect_subfields(
                self.schema, self.fragments, self.variables, self.node, type_, details
            ).grouped_field_set
        )


def _short(fields: Mapping[str, Details]) -> Mapping[str, Details]:
    """The fields, if a response with a name per row is about as large as its rows."""
    if any(len(name) > MAX_NAME for name in fields):
        raise Unplanned("a long response name")
    return fields


def name_of(details: Details) -> str:
    return details[0].node.name.value


def place_of(type_: GraphQLObjectType, details: Details) -> FieldPlace:
    nodes: list[FieldNode] = [each.node for each in details]
    return FieldPlace(type_, type_.fields[nodes[0].name.value], nodes)


def object_type(type_: GraphQLOutputType | None) -> GraphQLObjectType:
    """The object type of a field or of its items. Raises TypeError for another kind of type."""
    named = get_named_type(type_)
    if not isinstance(named, GraphQLObjectType):
        raise TypeError(f"{named} is not an object type")
    return named


def declared_of(field: GraphQLField) -> Declared | None:
    definition: StrawberryField = field.extensions["strawberry-definition"]
    declared: Declared | None = definition.metadata.get("shows")
    return declared


def columns_read(field: GraphQLField) -> tuple[str, ...] | None:
    """The columns that a resolver declares to read."""
    definition: StrawberryField = field.extensions["strawberry-definition"]
    columns: tuple[str, ...] | None = definition.metadata.get("reads")
    return columns


def attribute_of(field: GraphQLField) -> str | None:
    """The attribute that a field without a resolver shows."""
    definition: StrawberryField = field.extensions["strawberry-definition"]
    return None if definition.base_resolver else definition.python_name


class _VariableUses(Visitor):
    """Counts the uses of a variable, without its definition."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.count = 0

    def enter_variable_definition(self, _node: VariableDefinitionNode, *_: object) -> bool:
        return False  # its inside is skipped

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.count += node.name.value == self.name
