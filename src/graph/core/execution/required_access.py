"""Required access: every access that an operation requires, checked before execution.

The requirements of the text are collected once, those of the variables for each request.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    TypeInfo,
    TypeInfoVisitor,
    ValueNode,
    VariableDefinitionNode,
    Visitor,
    visit,
)

from graph.core.execution.input_access import InputAccess, Requirement, VariableUse, input_access
from graph.core.permission import CLOSED, INTROSPECTION, Access, access_of_field
from graph.core.principal import Principal

MAX_KNOWN = 64  # rights whose answer is kept


@dataclass(frozen=True, slots=True)
class RequiredAccess:
    """The accesses that the text of an operation requires, each with the first place that requires
    it, and the variables whose values may require more."""

    inputs: InputAccess
    fixed: Mapping[Access, str]
    uses: tuple[VariableUse, ...]
    defaults: Mapping[str, ValueNode]
    known: dict[Hashable, Requirement | None] = field(default_factory=dict, compare=False)

    def refused(self, principal: Principal, variables: Mapping[str, object]) -> Requirement | None:
        rights = principal.rights, principal.introspects
        if rights not in self.known:
            if len(self.known) >= MAX_KNOWN:
                self.known.clear()
            self.known[rights] = self._refused(principal)
        refused = self.known[rights]
        if refused or not self.uses:
            return refused
        return next(self._lacking(principal, variables), None)

    def _refused(self, principal: Principal) -> Requirement | None:
        """What the text requires and the principal lacks."""
        needs = (Requirement(access, place) for access, place in self.fixed.items())
        return next((need for need in needs if not principal.may(need.access)), None)

    def _lacking(
        self, principal: Principal, variables: Mapping[str, object]
    ) -> Iterator[Requirement]:
        # Skips variables whose type has no value that the principal lacks access to.
        for use in self.uses:
            if not all(map(principal.may, self.inputs.possible_accesses(use.type_))):
                for need in self._of_value(use, variables):
                    if not principal.may(need.access):
                        yield need

    def _of_value(self, use: VariableUse, variables: Mapping[str, object]) -> Iterator[Requirement]:
        name, type_ = use
        if name in variables:
            yield from self.inputs.value(variables[name], type_)
        elif name in self.defaults:
            found = self.inputs.literal(self.defaults[name], type_)
            yield from (need for need in found if isinstance(need, Requirement))


def required_access(schema: GraphQLSchema, document: DocumentNode) -> RequiredAccess:
    collector = _Collector(schema)
    visit(document, TypeInfoVisitor(collector.types, collector))
    found, uses = collector.found, tuple(collector.uses)
    return RequiredAccess(collector.inputs, found, uses, collector.defaults)


class _Collector(Visitor):
    def __init__(self, schema: GraphQLSchema) -> None:
        super().__init__()
        self.types = TypeInfo(schema)
        self.inputs = input_access(schema)
        self.found: dict[Access, str] = {}
        self.uses: dict[VariableUse, None] = {}
        self.defaults: dict[str, ValueNode] = {}

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: object) -> None:
        if node.default_value is not None:
            self.defaults[node.variable.name.value] = node.default_value

    def enter_field(self, node: FieldNode, *_: object) -> None:
        name, parent, field = (
            node.name.value,
            self.types.get_parent_type(),
            self.types.get_field_def(),
        )
        if parent is None or field is None or name == "__typename" or parent.name.startswith("__"):
            return
        introspects = name.startswith("__")
        access = INTROSPECTION if introspects else access_of_field(parent, field) or CLOSED
        self.found.setdefault(access, f"{parent.name}.{name}")
        if not introspects:
            self._arguments(node, parent, field)

    def _arguments(self, node: FieldNode, parent: GraphQLNamedType, field: GraphQLField) -> None:
        for argument in node.arguments or ():
            name, place = argument.name.value, f"{parent.name}.{node.name.value}"
            for access in self.inputs.argument(parent, node.name.value, field, name):
                self.found.setdefault(access, f"{place}({name}:)")
            for part in self.inputs.literal(argument.value, field.args[name].type):
                if isinstance(part, VariableUse):
                    self.uses[part] = None
                else:
                    self.found.setdefault(part.access, part.place)


# Declarations of a schema


def inputs(schema: GraphQLSchema) -> Iterator[tuple[str, tuple[Access, ...]]]:
    of = input_access(schema)
    for name, type_ in schema.type_map.items():
        if name.startswith("__"):
            continue
        if isinstance(type_, GraphQLObjectType):
            for field_name, item in type_.fields.items():
                for argument in item.args:
                    place = f"{name}.{field_name}({argument}:)"
                    yield place, of.argument(type_, field_name, item, argument)
        elif isinstance(type_, GraphQLInputObjectType):
            yield from ((f"{name}.{n}", of.field(type_, n)) for n in type_.fields)
        elif isinstance(type_, GraphQLEnumType):
            yield from ((f"{name}.{n}", of.choice(type_, n)) for n in type_.values)


def undeclared_inputs(schema: GraphQLSchema) -> Iterator[str]:
    for name, type_ in schema.type_map.items():
        for field_name, item in getattr(type_, "fields", {}).items():
            ours = isinstance(item, GraphQLField) and not name.startswith("__")
            if ours and access_of_field(type_, item) is None:
                yield f"{name}.{field_name}"
    yield from (place for place, accesses in inputs(schema) if CLOSED in accesses)
