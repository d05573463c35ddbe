"""Arguments: those of a field, coerced, validated and converted as its resolver expects them."""

from collections.abc import Callable
from typing import Any

from graphql import VariableNode, Visitor, visit
from graphql.execution.values import VariableValues, get_argument_values
from strawberry import Schema
from strawberry.types.arguments import convert_arguments
from strawberry.types.field import StrawberryField

from graph.core.execution.input_validation import faults_of
from graph.core.execution.plan.completion import FieldPlace
from graph.core.execution.plan.run import Irregular

Values = dict[str, Any]  # each of the type of its parameter


def arguments_of(schema: Schema, place: FieldPlace) -> Callable[[VariableValues | None], Values]:
    """The function from variables to the arguments. Raises Irregular if they are invalid."""
    field, node = place.field, place.nodes[0]
    declared: StrawberryField = field.extensions["strawberry-definition"]

    def read(variables: VariableValues | None) -> Values:
        given = get_argument_values(field, node, variables)
        if next(faults_of(field.args, given), None):
            raise Irregular("invalid arguments")
        converter = schema.schema_converter
        return convert_arguments(
            given, declared.arguments, converter.scalar_registry, schema.config
        )

    return read


def has_variable(place: FieldPlace) -> bool:
    search = _Variables()
    for argument in place.nodes[0].arguments or ():
        visit(argument, search)
    return search.found


class _Variables(Visitor):
    found = False

    def enter_variable(self, _node: VariableNode, *_: object) -> None:
        self.found = True
