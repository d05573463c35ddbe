"""Selected fields: the fields of a document, with the types that they belong to."""

from graphql import FieldNode, GraphQLField, GraphQLNamedType, TypeInfo, Visitor


class SelectedFields(Visitor):
    """Collects the types with selected fields."""

    def __init__(self, types: TypeInfo) -> None:
        super().__init__()
        self.types = types
        self.found: set[GraphQLNamedType | None] = set()
        self.fields: list[tuple[GraphQLNamedType, GraphQLField]] = []

    def enter_field(self, node: FieldNode, *_: object) -> None:
        parent, field = self.types.get_parent_type(), self.types.get_field_def()
        if parent is not None and field is not None and node.name.value != "__typename":
            self.found.add(parent)
            self.fields.append((parent, field))

    def fields_of(self, type_: GraphQLNamedType | None) -> list[GraphQLField]:
        return [field for parent, field in self.fields if parent is type_]

    def is_node(self, type_: GraphQLNamedType | None) -> bool:
        return declares(type_, "table")


def declares(type_: GraphQLNamedType | None, name: str) -> bool:
    definition = type_.extensions.get("strawberry-definition") if type_ else None
    return bool(getattr(getattr(definition, "origin", None), name, False))
