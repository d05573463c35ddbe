"""Payloads: the results of mutations, what they changed and their errors.

A mutation declares what it shows: a node, or a value with several fields. Its payload type is made
of that declaration, and has the errors that every payload has. Resolvers return the node's record
or the value, or raise a domain error.
"""

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Self, cast

from graphql import GraphQLField, get_named_type
from strawberry.extensions import FieldExtension
from strawberry.extensions.field_extension import AsyncExtensionResolver
from strawberry.types.field import StrawberryField
from strawberry.utils.str_converters import to_camel_case

from db.core.errors import DomainError
from graph.core.context import Info
from graph.core.types.errors import EXPECTED, INPUT, MAX_FAULTS, UserError, user_errors
from graph.core.types.field import field, names_of, value
from graph.core.types.node import Node, node_type


@value
class Payload:
    """The result of a mutation."""

    errors: list[UserError] = field(
        f"Why the mutation failed, at most {MAX_FAULTS} errors; then it changed nothing. Empty if "
        "it succeeded. Errors that depend on stored data or on the time are reported only if there "
        "are no others.",
        cost=0,
        default_factory=list,
    )

    @classmethod
    def showing(cls, parts: Mapping[str, object]) -> Self:
        return cls(**parts)  # type: ignore[arg-type]  # the fields of each payload type

    @classmethod
    def failed(cls, error: DomainError) -> Self:
        return cls(errors=user_errors(error))


class ShowPayload(FieldExtension):
    """Shows what a resolver returns, and the expected errors that it raises, as a payload."""

    def __init__(self, shown: type) -> None:
        self.node_name = node_name(shown) if issubclass(shown, Node) else None
        self.shown = node_value(shown) if self.node_name else shown
        self.parts = tuple(part.name for part in fields(self.shown) if part.init)
        self.payload: type[Payload] = Payload
        self.names: Mapping[str, str] = {}  # of the input, by column

    def apply(self, field: StrawberryField) -> None:
        field.type = self.payload = payload_type(to_camel_case(field.python_name), self.shown)
        inputs = [each.type for each in field.arguments if each.python_name == INPUT]
        self.names = names_of(inputs[0]) if inputs else {}

    async def resolve_async(
        self, next_: AsyncExtensionResolver, source: object, info: Info, **arguments: object
    ) -> Payload:
        try:
            result = await next_(source, info, **arguments)
        except EXPECTED as error:
            return self.payload.failed(error.renamed(self.names))
        if self.node_name:
            return self.payload.showing({self.node_name: result})
        return self.payload.showing({name: getattr(result, name) for name in self.parts})


def node_name(node: type[Node]) -> str:
    return node_type(node.table).prefix  # type: ignore[attr-defined]  # set by `node`


def node_value(node: type[Node]) -> type:
    """A value with one field, the node."""
    name = node_name(node)
    shown = field("The object as changed. Null if the mutation failed.", cost=0, default=None)
    return value(
        type(f"{node.__name__}Value", (), {"__annotations__": {name: node | None}, name: shown})
    )


@cache
def payload_type(mutation: str, shown: type) -> type[Payload]:
    """The payload type of a mutation: the fields of a value, and the errors."""
    name = f"{mutation[0].upper()}{mutation[1:]}Payload"
    described = {"__doc__": f"The payload of `{mutation}`.", "__annotations__": {}}
    return cast("type[Payload]", value(type(name, (shown, Payload), described)))


def payload_of(field: GraphQLField) -> type[Payload] | None:
    """The payload type of a mutation; None for any other field."""
    definition = get_named_type(field.type).extensions.get("strawberry-definition")
    origin = getattr(definition, "origin", None)
    return origin if isinstance(origin, type) and issubclass(origin, Payload) else None
