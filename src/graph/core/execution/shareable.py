"""Shareable: which subscriptions receive the same messages and can share them."""

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLNamedType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    VisitorAction,
    visit,
)

AFTER = "after"


def is_viewer_independent(schema: GraphQLSchema, document: DocumentNode) -> bool:
    types = TypeInfo(schema)
    seen = _Parents(types)
    visit(document, TypeInfoVisitor(types, seen))
    return all(map(_declares_it, seen.found - {schema.subscription_type}))


def cursor_variable(document: DocumentNode, operation: OperationDefinitionNode) -> str | None:
    """The variable used only as the resume cursor. Subscriptions that differ only in it receive the
    same messages after that."""
    field = operation.selection_set.selections[0]
    given = [a.value for a in getattr(field, "arguments", ()) or () if a.name.value == AFTER]
    if not given or not isinstance(given[0], VariableNode):
        return None
    name = given[0].name.value
    uses = _Uses(name)
    visit(document, uses)
    return name if uses.count == 1 else None


def _declares_it(type_: GraphQLNamedType) -> bool:
    definition = type_.extensions.get("strawberry-definition")
    return bool(getattr(getattr(definition, "origin", None), "viewer_independent", False))


class _Parents(Visitor):
    """Collects the types with selected fields."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: set[GraphQLNamedType] = set()

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent = self.types.get_parent_type()
        if parent is not None and not node.name.value.startswith("__"):
            self.found.add(parent)


class _Uses(Visitor):
    """Counts the uses of a variable, including those in fragments."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.count = 0

    def enter_variable_definition(self, *_: object) -> VisitorAction:
        return self.SKIP

    def enter_variable(self, node: VariableNode, *_: object) -> None:
        self.count += node.name.value == self.name
