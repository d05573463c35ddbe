"""Item input: the argument `input` of a field that stores one item, read from variables.

What graphql-core's coercion and the validation of inputs do for each request is compiled once: an
object of constants and variables becomes a list of names, and its checks a list of functions. A
whole object in a variable was coerced with the variables.
"""

from collections.abc import Callable, Mapping
from typing import cast

from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    ObjectValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    Visitor,
    get_named_type,
    get_nullable_type,
    is_input_object_type,
    is_non_null_type,
    visit,
)
from graphql.utilities.coerce_input_value import coerce_default_value, coerce_input_literal

from db.core.values.validation import Check
from graph.core.execution.input_validation import faults_of
from graph.core.execution.plan.completion import FieldPlace
from graph.core.execution.plan.run import Irregular, Unplanned
from graph.core.types.errors import INPUT
from graph.core.types.field import column_of, metadata_of

Item = dict[str, object]  # each of the type that the input declares for its name
ReadItem = Callable[[Mapping[str, object]], Item]
IRREGULAR = "invalid arguments"


def item_reader(place: FieldPlace, checked_later: Mapping[str, Check]) -> ReadItem:
    """The function from coerced variables to the item, which raises Irregular if it is invalid.
    `checked_later` are the checks of the row that is made of the item, by column. Raises Unplanned
    for an input that only graphql-core reads."""
    type_ = get_nullable_type(place.field.args[INPUT].type)
    nodes = place.nodes[0].arguments or ()
    if len(nodes) != 1 or not is_input_object_type(type_):
        raise Unplanned("the argument of an item")
    read, checks = _reader(nodes[0].value, type_), _checks(type_, checked_later)

    def checked(variables: Mapping[str, object]) -> Item:
        item = read(variables)
        for name, check, is_null_refused in checks:
            value = item.get(name)
            if value is None:
                if is_null_refused and name in item:
                    raise Irregular(IRREGULAR)
            elif check is not None:
                for _ in check.faults(value):
                    raise Irregular(IRREGULAR)
        return item

    return checked


def _reader(node: ValueNode, type_: GraphQLInputObjectType) -> ReadItem:
    if isinstance(node, VariableNode):
        return _from_variable(node.name.value)
    if isinstance(node, ObjectValueNode):
        return _from_object(node, type_)
    raise Unplanned("the argument of an item")


def _from_variable(name: str) -> ReadItem:
    def read(variables: Mapping[str, object]) -> Item:
        item = variables.get(name)
        if not isinstance(item, dict):
            raise Irregular(IRREGULAR)
        return item

    return read


def _from_object(node: ObjectValueNode, type_: GraphQLInputObjectType) -> ReadItem:
    given = {field.name.value: field.value for field in node.fields}
    constants: Item = {}
    uses: list[tuple[str, str, bool, object]] = []
    for name, field in type_.fields.items():
        value, default = given.get(name), coerce_default_value(field)
        if isinstance(value, VariableNode):
            uses.append((name, value.name.value, is_non_null_type(field.type), default))
        elif value is not None:
            constants[name] = _constant(value, field)
        elif default is not Undefined:
            constants[name] = default

    def read(variables: Mapping[str, object]) -> Item:
        item = constants.copy()
        for name, variable, is_required, default in uses:
            value = variables.get(variable, default)
            if value is None and is_required:
                raise Irregular(IRREGULAR)
            if value is not Undefined:
                item[name] = value
            elif is_required:
                raise Irregular(IRREGULAR)
        return item

    return read


def _checks(
    type_: GraphQLInputObjectType, checked_later: Mapping[str, Check]
) -> list[tuple[str, Check | None, bool]]:
    """The check of each field, and whether null is refused. Raises Unplanned for an input that is
    validated as a whole."""
    if getattr(type_.extensions["strawberry-definition"].origin, "together", ()):
        raise Unplanned("an input with conditions on several fields")
    checks = []
    for name, field in type_.fields.items():
        if is_input_object_type(get_named_type(field.type)):
            raise Unplanned("an input within an input")
        check, is_null_refused = metadata_of(field).get("check"), _refuses_null(name, field)
        if check is checked_later.get(column_of(field.extensions["strawberry-definition"])):
            check = None
        if check is not None or is_null_refused:
            checks.append((name, check, is_null_refused))
    return checks


def _refuses_null(name: str, field: GraphQLInputField) -> bool:
    alone = cast("Mapping[str, GraphQLArgument]", {name: field})  # they are declared alike
    return any(True for _ in faults_of(alone, {name: None}))


def _constant(node: ValueNode, field: GraphQLInputField) -> object:
    constant = Undefined if _holds_variable(node) else coerce_input_literal(node, field.type)
    if constant is Undefined:
        raise Unplanned("a variable within a literal")
    return constant


def _holds_variable(node: ValueNode) -> bool:
    search = _Variables()
    visit(node, search)
    return search.found


class _Variables(Visitor):
    found = False

    def enter_variable(self, _node: VariableNode, *_: object) -> None:
        self.found = True
