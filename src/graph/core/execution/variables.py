"""Variables: the signatures of an operation's variables are made once, and not for each request.

graphql-core coerces each value. Where something is wrong with one it is asked for all of them
again, for its errors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from graphql import (
    GraphQLError,
    GraphQLSchema,
    Undefined,
    VariableDefinitionNode,
    get_nullable_type,
    is_leaf_type,
)
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

from graph.core.types.input_coercion import coercion

MAX_ERRORS = 5


@dataclass(frozen=True, slots=True)
class Variables:
    """The variables of an operation."""

    schema: GraphQLSchema
    definitions: Sequence[VariableDefinitionNode]
    each: tuple["Variable", ...]

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
        for variable in self.each:
            name, value = variable.name, given.get(variable.name, Undefined)
            sources[name] = VariableValueSource(variable.signature, value)
            if value is not Undefined:
                values[name] = variable.coerced(value)
                if values[name] is Undefined:
                    return None
            elif not variable.is_optional:
                return None
        return VariableValues(sources, values)


class Variable:
    """One variable."""

    def __init__(self, signature: GraphQLVariableSignature) -> None:
        type_ = signature.type
        nullable = get_nullable_type(type_)
        self.signature = signature
        self.name = signature.name
        self.is_nullable = nullable is type_
        self.is_optional = self.is_nullable and signature.default is None
        self.leaf = nullable if is_leaf_type(nullable) else None
        self.compiled = None if self.leaf else coercion(type_)

    def coerced(self, value: object) -> object:
        """The coerced value; Undefined if it is invalid."""
        if self.compiled is not None:
            return self.compiled(value)
        if self.leaf is None:
            type_ = self.signature.type
            is_deep = input_is_nested_too_deeply(value, type_)
            return Undefined if is_deep else coerce_input_value(value, type_)
        if value is None:
            return None if self.is_nullable else Undefined
        try:
            return self.leaf.coerce_input_value(value)  # type: ignore[arg-type]  # enums check it
        except Exception:  # of any scalar
            return Undefined


def variables_of(schema: GraphQLSchema, definitions: Sequence[VariableDefinitionNode]) -> Variables:
    """The variables of a valid operation."""
    signatures = [get_variable_signature(schema, definition) for definition in definitions]
    return Variables(
        schema,
        definitions,
        tuple(Variable(each) for each in signatures if not isinstance(each, GraphQLError)),
    )
