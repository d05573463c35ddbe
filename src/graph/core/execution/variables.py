"""Variables: the signatures of an operation's variables are made once, and not for each request.

graphql-core coerces each value. Where something is wrong with one it is asked for all of them
again, for its errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from graphql import GraphQLError, GraphQLSchema, Undefined, VariableDefinitionNode, is_non_null_type
from graphql.execution.get_variable_signature import (
    GraphQLVariableSignature,
    get_variable_signature,
)
from graphql.execution.values import (
    VariableValues,
    VariableValueSource,
    get_variable_values,
    input_is_nested_too_deeply,
)
from graphql.utilities import coerce_input_value

MAX_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of an operation."""

    schema: GraphQLSchema
    definitions: Sequence[VariableDefinitionNode]
    signatures: tuple[GraphQLVariableSignature, ...]

    def coerced(
        self, given: dict[str, object], suggestions: bool
    ) -> VariableValues | list[GraphQLError]:
        """The values of all variables, or at most MAX_ERRORS errors, which may suggest names."""
        return self._plainly_coerced(given) or get_variable_values(
            self.schema, self.definitions, given, MAX_ERRORS, hide_suggestions=not suggestions
        )

    def _plainly_coerced(self, given: dict[str, object]) -> VariableValues | None:
        """The values, if all are given or may be absent, and are valid."""
        sources: dict[str, VariableValueSource] = {}
        values: dict[str, object] = {}
        for signature in self.signatures:
            name, type_ = signature.name, signature.type
            value = given.get(name, Undefined)
            sources[name] = VariableValueSource(signature, value)
            if value is Undefined:
                if signature.default is not None or is_non_null_type(type_):
                    return None
                continue
            if input_is_nested_too_deeply(value, type_):
                return None
            values[name] = coerce_input_value(value, type_)
            if values[name] is Undefined:
                return None
        return VariableValues(sources, values)


def variables_of(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> Variables:
    """The variables of a valid operation."""
    signatures = [get_variable_signature(schema, definition) for definition in definitions]
    return Variables(
        schema,
        definitions,
        tuple(each for each in signatures if not isinstance(each, GraphQLError)),
    )
