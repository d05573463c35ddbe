"""Literals: values in a document, with every digit of their numbers."""

import re
from collections.abc import Callable
from typing import TypeVar, cast

from graphql import (
    BooleanValueNode,
    ConstValueNode,
    DocumentNode,
    EnumValueNode,
    FloatValueNode,
    GraphQLError,
    IntValueNode,
    ListValueNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    Visitor,
    visit,
)
from graphql.utilities.value_to_literal import default_scalar_value_to_literal

from db.core.values import json

T = TypeVar("T")

NUL = "PostgreSQL cannot store the character U+0000: remove it from the document."
_ESCAPED_NUL = re.compile(r"\\u(?:0000|\{0+\})")


def value_of(node: ValueNode) -> object:
    """The value of a literal without variables. An enum value is its name. Raises GraphQLError."""
    match node:
        case NullValueNode():
            return None
        case IntValueNode() | FloatValueNode():
            return _number_of(node)
        case ListValueNode():
            return [value_of(item) for item in node.values]
        case ObjectValueNode():
            return {field.name.value: value_of(field.value) for field in node.fields}
        case StringValueNode() | BooleanValueNode() | EnumValueNode():
            return node.value
    raise TypeError("A literal holds a variable.")


def _number_of(node: IntValueNode | FloatValueNode) -> json.Number:
    try:
        return json.number(node.value)
    except json.TooManyDigits as error:
        raise GraphQLError(str(error), node) from None


def literal_of(value: object) -> ConstValueNode:
    if json.is_number(value):
        text = json.written(value)
        return FloatValueNode(value=text) if "." in text else IntValueNode(value=text)
    if isinstance(value, list):
        return cast("ConstValueNode", ListValueNode(values=tuple(map(literal_of, value))))
    if isinstance(value, dict):
        fields = [
            ObjectFieldNode(name=NameNode(value=name), value=literal_of(part))
            for name, part in value.items()
        ]
        return cast("ConstValueNode", ObjectValueNode(fields=tuple(fields)))
    return default_scalar_value_to_literal(value)


def reader(read: Callable[[object], T]) -> Callable[[ConstValueNode], T]:
    """A parser of literals. Its errors have the location in the document, except for lists and
    objects with variables: their location is lost, but graphql-core adds it to exceptions other
    than GraphQLError."""

    def read_literal(node: ConstValueNode) -> T:
        value = value_of(node)
        try:
            return read(value)
        except GraphQLError as error:
            if node.loc is None:
                raise ValueError(error.message) from None
            raise GraphQLError(error.message, node) from None

    return read_literal


def first_string_with_nul(text: str, document: DocumentNode) -> ValueNode | None:
    if not _ESCAPED_NUL.search(text):
        return None
    found = _Texts()
    visit(document, found)
    return next((node for node in found.nodes if "\0" in node.value), None)


class _Texts(Visitor):
    """Collects the strings of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[StringValueNode] = []

    def enter_string_value(self, node: StringValueNode, *_: object) -> None:
        self.nodes.append(node)
