"""Shareable: which subscriptions receive the same messages and can share them, which queries have
the same result for every viewer, may be read from a replica, or are kept."""

from graphql import (
    DocumentNode,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    VariableNode,
    Visitor,
    VisitorAction,
    get_named_type,
    visit,
)

from graph.core.execution.selected_fields import SelectedFields, declares
from graph.core.types.field import Kept, metadata_of

AFTER = "after"


def is_viewer_independent(schema: GraphQLSchema, document: DocumentNode) -> bool:
    types = TypeInfo(schema)
    seen = SelectedFields(types)
    visit(document, TypeInfoVisitor(types, seen))
    return all(map(_declares_it, seen.found - {schema.subscription_type}))


def is_same_for_all(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """True if the result of a query is the same for all viewers who may have it: it shows scalars
    of nodes that declare so, alone or in lists."""
    types = TypeInfo(schema)
    seen = SelectedFields(types)
    visit(document, TypeInfoVisitor(types, seen))
    root = schema.query_type
    parts = [_parts(get_named_type(field.type)) for field in seen.fields_of(root)]
    return seen.found <= {root}.union(*parts) and all(parts)


def may_be_stale(schema: GraphQLSchema, document: DocumentNode) -> bool:
    """True if all root fields of a query declare `stale_ok`."""
    types = TypeInfo(schema)
    seen = SelectedFields(types)
    visit(document, TypeInfoVisitor(types, seen))
    roots = seen.fields_of(schema.query_type)
    return bool(roots) and all(metadata_of(field).get("stale_ok") for field in roots)


def kept_as(schema: GraphQLSchema, document: DocumentNode) -> Kept | None:
    """How the results of a query are kept: as all of its root fields declare. None if one declares
    nothing, or if nodes are shown, which other tables may be read for."""
    types = TypeInfo(schema)
    seen = SelectedFields(types)
    visit(document, TypeInfoVisitor(types, seen))
    roots = seen.fields_of(schema.query_type)
    declared = [rule for root in roots if (rule := metadata_of(root).get("kept"))]
    others = seen.found - {schema.query_type}
    if not roots or len(declared) < len(roots) or any(map(seen.is_node, others)):
        return None
    tables = tuple(dict.fromkeys(table for rule in declared for table in rule.tables))
    return Kept(tables, min(rule.seconds for rule in declared))


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


def _declares_it(type_: GraphQLNamedType | None) -> bool:
    return declares(type_, "viewer_independent")


def _parts(type_: GraphQLNamedType) -> set[GraphQLNamedType | None]:
    """A cacheable node, or a connection of such nodes with its parts; empty for all others."""
    if not isinstance(type_, GraphQLObjectType):
        return set()
    if "nodes" not in type_.fields:
        return {type_} if _is_cacheable(type_) else set()
    parts = {
        name: get_named_type(type_.fields[name].type) for name in ("nodes", "edges", "pageInfo")
    }
    return {type_, *parts.values()} if _is_cacheable(parts["nodes"]) else set()


def _is_cacheable(type_: GraphQLNamedType) -> bool:
    return declares(type_, "cacheable")


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
