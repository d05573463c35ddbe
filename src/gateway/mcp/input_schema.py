"""Input schema: the JSON Schema of the arguments of a tool, from the variables of its operation."""

from collections.abc import Iterable, Mapping
from typing import cast

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    OperationDefinitionNode,
    Undefined,
    VariableDefinitionNode,
    type_from_ast,
    value_from_ast_untyped,
)

JsonSchema = dict[str, object]

INPUT = "input"
SCALARS: Mapping[str, JsonSchema] = {
    "ID": {"type": "string"},
    "String": {"type": "string"},
    "Boolean": {"type": "boolean"},
    "Int": {"type": "integer"},
    "Float": {"type": "number"},
    "DateTime": {"type": "string", "format": "date-time"},
    "BigInt": {"type": ["integer", "string"], "pattern": "^-?[0-9]+$"},
    "Decimal": {"type": ["number", "string"]},
    "JSON": {},
}


def takes_input(operation: OperationDefinitionNode) -> bool:
    """True if the arguments are the fields of the variable `input`, which is the only one."""
    return [each.variable.name.value for each in operation.variable_definitions or ()] == [INPUT]


def input_schema(schema: GraphQLSchema, operation: OperationDefinitionNode) -> JsonSchema:
    variables = operation.variable_definitions or ()
    if takes_input(operation):
        return _of_type(_type(schema, variables[0]))
    return _object(_of_variable(schema, each) for each in variables)


def _of_variable(
    schema: GraphQLSchema, variable: VariableDefinitionNode
) -> tuple[str, JsonSchema, bool]:
    type_ = _type(schema, variable)
    text = variable.description.value if variable.description else None
    default = variable.default_value
    given = Undefined if default is None else value_from_ast_untyped(default)
    is_required = isinstance(type_, GraphQLNonNull) and default is None
    return variable.variable.name.value, _described(_of_type(type_), text, given), is_required


def _type(schema: GraphQLSchema, variable: VariableDefinitionNode) -> GraphQLInputType:
    return cast("GraphQLInputType", type_from_ast(schema, variable.type))


def _of_type(type_: GraphQLInputType) -> JsonSchema:
    if isinstance(type_, GraphQLNonNull):
        return _of_type(type_.of_type)
    if isinstance(type_, GraphQLList):
        return {"type": "array", "items": _of_type(type_.of_type)}
    if isinstance(type_, GraphQLEnumType):
        return {"type": "string", "enum": list(type_.values)}
    if isinstance(type_, GraphQLInputObjectType):
        fields = type_.fields.items()
        return _object(
            (
                name,
                _described(_of_type(field.type), field.description, _printed(field.default_value)),
                isinstance(field.type, GraphQLNonNull) and field.default_value is Undefined,
            )
            for name, field in fields
        )
    return dict(SCALARS[type_.name])


def _object(properties: Iterable[tuple[str, JsonSchema, bool]]) -> JsonSchema:
    properties = list(properties)
    required = [name for name, _, is_required in properties if is_required]
    return {
        "type": "object",
        "properties": {name: schema for name, schema, _ in properties},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _described(schema: JsonSchema, text: str | None, default: object) -> JsonSchema:
    described = {"description": text} if text else {}
    return {**schema, **described, **({} if default is Undefined else {"default": default})}


def _printed(default: object) -> object:
    """A default value as JSON; enums have their values as names."""
    return getattr(default, "value", default)
